/** Debian's containerd as the peer: its own root, state, socket, network and cgroups, so that one that serves this machine is not touched. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { criClient } from '../test/support/cri-client.ts';
import { removePods } from '../test/support/daemon.ts';
import { processesOf, sweep } from '../test/support/leftovers.ts';
import { makeTestNetwork } from '../test/support/test-network.ts';
import { beginPart, markVariable } from '../test/support/test-run.ts';
import type { Subject } from './subject.ts';

/** Folders that containerd, its shims and its CNI library use whatever the configuration says. */
const fixedFolders = ['/run/containerd/s', '/run/containerd', '/var/lib/cni/results', '/var/lib/cni'];

export interface PeerOptions {
  /** Path of the OCI runtime. */
  readonly runtime: string;
  /** A pullable reference, on a registry at 127.0.0.1. */
  readonly pauseImage: string;
}

/** Starts containerd and waits until its CRI answers with a ready network. */
export async function startContainerd({ runtime, pauseImage }: PeerOptions): Promise<Subject> {
  const absent = fixedFolders.filter((folder) => !existsSync(folder));
  const part = beginPart();
  const at = (name: string): string => path.join(part.dir, name);
  const network = makeTestNetwork({ mark: part.mark, confDir: at('net.d'), dataDir: at('ipam') });
  mkdirSync(at('logs'));
  writeFileSync(at('config.toml'), configuration({ dir: part.dir, runtime, pauseImage }));
  const log = openSync(at('containerd.log'), 'a');
  const daemon = spawn('containerd', ['--config', at('config.toml')], {
    env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, [markVariable]: part.mark },
    detached: true, // Ctrl-C on the terminal is for the benchmark, which ends it in order
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const client = criClient(at('containerd.sock'));
  const stop = async (): Promise<void> => {
    try {
      if (daemon.exitCode === null) await removePods(client);
    } finally {
      client.close();
      if (daemon.exitCode === null && daemon.pid !== undefined) {
        daemon.kill('SIGTERM');
        await once(daemon, 'exit');
      }
      network.remove();
      await sweep(part);
      for (const folder of absent) removeIfEmpty(folder);
    }
  };
  try {
    const until = Date.now() + 15_000;
    while (!(await isReady(client))) {
      if (daemon.exitCode !== null || Date.now() > until) throw new Error(`containerd does not answer:\n${readFileSync(at('containerd.log'), 'utf8').slice(-3000)}`);
      await sleep(100);
    }
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
  const { runtimeVersion } = await client.version();
  return {
    name: 'containerd',
    description: `containerd ${runtimeVersion} with ${versionOf(runtime)}`,
    client,
    cgroupParent: `/${part.mark}`,
    logs: at('logs'),
    processes: () => processesOf(part),
    stop,
  };
}

async function isReady(client: Subject['client']): Promise<boolean> {
  try {
    const { status } = await client.status({}, { deadlineMs: 1000 });
    return status?.conditions.every((condition) => condition.status) === true;
  } catch {
    return false;
  }
}

/** What a Kubernetes node would have, in folders of our own. The tolerances are for machines without CAP_SYS_RESOURCE or hugetlb. */
function configuration({ dir, runtime, pauseImage }: { dir: string; runtime: string; pauseImage: string }): string {
  return `version = 2
root = "${dir}/root"
state = "${dir}/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.internal.v1.restart"]
[grpc]
address = "${dir}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pauseImage}"
stream_server_port = "0"
netns_mounts_under_state_dir = true
restrict_oom_score_adj = true
tolerate_missing_hugetlb_controller = true
disable_hugetlb_controller = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${existsSync('/usr/lib/cni/bridge') ? '/usr/lib/cni' : '/opt/cni/bin'}"
conf_dir = "${dir}/net.d"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "${runtime}"
Root = "${dir}/oci"
SystemdCgroup = false
`;
}

/** The first line of what a program says of its version. */
export function versionOf(program: string): string {
  return (spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout ?? '').split('\n')[0]!.trim();
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Not empty: somebody else uses it by now.
  }
}
