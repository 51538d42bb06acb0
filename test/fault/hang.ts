/**
 * What others notice while strangers hang: an OCI runtime in the middle of a creation, a network plugin, and the server of a mounted
 * file system, with a volume and the administrator's registries.conf on it, all at once. A FUSE mount that nobody serves is as dead as one of NFS whose server has gone.
 */
import assert from 'node:assert/strict';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Mount } from '../../src/gen/cri.ts';
import { libc, MNT_DETACH } from '../../src/host/libc.ts';
import { message } from '../support/cri-messages.ts';
import { eventually, startWorkload, type Workload, type WorkloadPod } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

/** Milliseconds that 99 of 100 requests took at most, by kind of request. */
export type Latencies = Readonly<Record<string, number>>;

export interface HangFigures {
  readonly before: Latencies;
  readonly during: Latencies;
  /** The largest of `during` to `before`, of any kind of request. */
  readonly ratio: number;
  readonly requests: number;
  /** How the daemon gave up on the dead mount. */
  readonly fenced: string;
  /** How it gave up on the administrator's file there. */
  readonly unread: string;
}

const runtime = process.env.RUNTIME ?? 'crun';

const pullsAtOnce = 8;

/** Rounds of requests before, and again during the hang. */
export async function measureHang(rounds: number): Promise<HangFigures> {
  const doubles = mkdtempSync(path.join(os.tmpdir(), 'hang-'));
  const hangs = hanging(doubles);
  const node = await startWorkload({ config: `[cni]\nbin_dirs = ["${doubles}", "/opt/cni/bin", "/usr/lib/cni"]\n[runtime.handlers.stuck]\npath = "${doubles}/${runtime}-stuck"\n` });
  const dead = deadMount(path.join(doubles, 'dead'));
  try {
    const [pod, stuckPod, mountPod] = [await node.runPod(), await node.runPod({}, 'stuck'), await node.runPod()];
    const id = await node.runContainer(pod);
    await requests(node, { pod, id, rounds: 5 }); // warm
    const before = await requests(node, { pod, id, rounds });

    const { registriesConf } = node.daemon.paths;
    rmSync(registriesConf);
    symlinkSync(path.join(dead.directory, 'registries.conf'), registriesConf);
    const deadVolume = message(Mount, { hostPath: path.join(dead.directory, 'data'), containerPath: '/data' });
    let over = false;
    let [fenced, unread] = ['', ''];
    const stuck = [node.createContainer(stuckPod), node.runPod({ name: 'stuck' })].map((call) => call.then(() => 'came through', (error: unknown) => String(error)));
    const mounting = (async () => {
      // The daemon does not wait long for a path, so it is asked again and again.
      while (!over) await node.createContainer(mountPod, { config: { mounts: [deadVolume] } }).catch((error: unknown) => { fenced ||= String(error); });
    })();
    // More than libuv has threads.
    const pulling = Array.from({ length: pullsAtOnce }, async (_, n) => {
      while (!over) {
        await node.pull(`registry.test/dead:${n}`).catch((error: unknown) => { unread ||= String(error); });
        await sleep(50);
      }
    });
    await eventually(() => hangs.assertBoth());
    const during = await requests(node, { pod, id, rounds });
    const endedEarly = await Promise.race([...stuck, Promise.resolve('')]);
    assert.equal(endedEarly, '', 'what should hang did not');
    await eventually(() => assert.ok(fenced !== '' && unread !== '', 'the dead file system is still waited for'), 30_000);

    over = true;
    hangs.letGo();
    dead.letGo();
    await Promise.all([mounting, ...pulling]);
    await Promise.all(stuck);
    await assertRemovalLeavesNothing(node.daemon);
    return { before: before.p99, during: during.p99, ratio: Math.max(...Object.keys(before.p99).map((kind) => during.p99[kind]! / before.p99[kind]!)), requests: before.count + during.count, fenced, unread };
  } finally {
    hangs.letGo();
    dead.letGo();
    await node.stop();
    rmSync(doubles, { recursive: true, force: true });
  }
}

/** Everything that another pod may want, again and again. */
async function requests(node: Workload, { pod, id, rounds }: { pod: WorkloadPod; id: string; rounds: number }): Promise<{ p99: Latencies; count: number }> {
  const { client } = node;
  const took: Record<string, number[]> = {};
  const timed = async <T>(kind: string, call: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const result = await call();
    (took[kind] ??= []).push(performance.now() - began);
    return result;
  };
  for (let round = 0; round < rounds; round++) {
    await timed('list', () => client.listContainers());
    await timed('status', () => client.containerStatus({ containerId: id }));
    await timed('exec', () => client.execSync({ containerId: id, cmd: ['true'], timeout: 10n }));
    if (round % 4 !== 0) continue;
    const containerId = await timed('create', () => node.createContainer(pod));
    await timed('start', () => client.startContainer({ containerId }));
    await timed('remove', () => client.removeContainer({ containerId }));
  }
  return { p99: Object.fromEntries(Object.entries(took).map(([kind, all]) => [kind, p99(all)])), count: Object.values(took).flat().length };
}

function p99(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[Math.ceil(all.length * 0.99) - 1]!;
}

/** Doubles that are the real programs, but for one command of a runtime and one pod of a plugin, which wait to be let go. */
function hanging(folder: string): { assertBoth(): void; letGo(): void } {
  const wait = (mark: string): string => `touch "${folder}/${mark}"; while [ ! -e "${folder}/go" ]; do sleep 0.1; done; exit 1`;
  const exec = (dirs: readonly string[], name: string): string => dirs.map((dir) => `[ -x ${dir}/${name} ] && exec ${dir}/${name} "$@"`).join('\n');
  writeFileSync(path.join(folder, `${runtime}-stuck`), `#!/bin/sh\nfor word; do [ "$word" != create ] || { ${wait('runtime')}; }; done\n${exec(['/usr/bin', '/usr/sbin'], runtime)}\n`, { mode: 0o755 });
  writeFileSync(path.join(folder, 'bridge'), `#!/bin/sh\ncase "$CNI_COMMAND $CNI_ARGS" in "ADD "*K8S_POD_NAME=stuck*) ${wait('plugin')} ;; esac\n${exec(['/opt/cni/bin', '/usr/lib/cni'], 'bridge')}\n`, { mode: 0o755 });
  return {
    assertBoth() {
      for (const mark of ['runtime', 'plugin']) closeSync(openSync(path.join(folder, mark), 'r'));
    },
    letGo: () => writeFileSync(path.join(folder, 'go'), ''),
  };
}

/** Whoever touches what is in there waits until it is let go. */
function deadMount(directory: string): { directory: string; letGo(): void } {
  mkdirSync(directory);
  const fd = openSync('/dev/fuse', 'r+');
  libc.mount('dead', directory, 'fuse', 0, `fd=${fd},rootmode=40000,user_id=0,group_id=0`);
  let open = true;
  return {
    directory,
    letGo() {
      if (!open) return;
      open = false;
      closeSync(fd); // aborts what waits
      libc.umount2(directory, MNT_DETACH);
    },
  };
}

/** Whether this machine can mount what nobody serves. */
export function whyNoDeadMount(): string | undefined {
  try {
    closeSync(openSync('/dev/fuse', 'r+'));
    return undefined;
  } catch {
    return 'this machine has no /dev/fuse';
  }
}
