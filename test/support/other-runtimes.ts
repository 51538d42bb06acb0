/** The runtimes that a node may be leaving: a real dockerd and a real containerd, each in a folder of its own, with images only. They touch no network of the node. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onHost } from './on-host.ts';
import { patience } from './patience.ts';

export interface OtherRuntime {
  /** Its data root. */
  readonly root: string;
  /** Runs its client and returns what that printed. */
  client(...args: string[]): string;
  /** May be called twice. */
  stop(): Promise<void>;
}

const path = `${process.env['PATH']}:/usr/sbin:/sbin`;

export function hasProgram(name: string): boolean {
  return path.split(':').some((folder) => existsSync(join(folder, name)));
}

/** Starts dockerd with its state below `folder`. */
export async function startDockerd(folder: string): Promise<OtherRuntime> {
  const at = (name: string): string => join(folder, name);
  const socket = `unix://${at('docker.sock')}`;
  const flags = ['--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('docker.pid'), '--host', socket, '--group', 'root', '--bridge', 'none'];
  const stop = await startDaemon({ file: 'dockerd', args: [...flags, '--iptables=false', '--ip6tables=false', '--ip-forward=false'], folder, isReady: () => existsSync(at('docker.sock')), leaves: ['/run/docker', '/etc/docker'] });
  return { root: at('data'), client: (...args) => onHost('docker', '--host', socket, ...args), stop };
}

/** Starts containerd with its state below `folder`; its client works in the namespace of the CRI. */
export async function startContainerdStore(folder: string): Promise<OtherRuntime> {
  const at = (name: string): string => join(folder, name);
  const socket = at('containerd.sock');
  mkdirSync(folder, { recursive: true });
  writeFileSync(at('config.toml'), [
    'version = 2', `root = ${JSON.stringify(at('root'))}`, `state = ${JSON.stringify(at('state'))}`, 'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]',
    '[grpc]', `  address = ${JSON.stringify(socket)}`,
  ].join('\n'));
  const stop = await startDaemon({ file: 'containerd', args: ['--config', at('config.toml')], folder, isReady: () => existsSync(socket), leaves: ['/run/containerd'] });
  return { root: at('root'), client: (...args) => onHost('ctr', '--address', socket, '--namespace', 'k8s.io', ...args), stop };
}

interface Daemon {
  readonly file: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly isReady: () => boolean;
  /** Folders that it makes whatever it is told, removed when they are empty and were not there. */
  readonly leaves: readonly string[];
}

async function startDaemon({ file, args, folder, isReady, leaves }: Daemon): Promise<() => Promise<void>> {
  mkdirSync(folder, { recursive: true });
  const absent = leaves.filter((leftover) => !existsSync(leftover));
  const log = openSync(join(folder, `${file}.log`), 'a');
  const daemon = spawn(file, args, { env: { ...process.env, PATH: path }, stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = once(daemon, 'exit');
  const stop = async (): Promise<void> => {
    if (daemon.exitCode === null && daemon.signalCode === null) daemon.kill('SIGTERM');
    await ended;
    for (const leftover of absent) removeIfEmpty(leftover);
  };
  for (const until = Date.now() + 20_000 * patience; !isReady(); await sleep(50)) {
    if (daemon.exitCode === null && Date.now() < until) continue;
    await stop();
    throw new Error(`${file} does not answer:\n${readFileSync(join(folder, `${file}.log`), 'utf8').slice(-3000)}`);
  }
  return stop;
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // somebody else uses it
  }
}
