/** A Gantry daemon of a test's own: folders, socket, network and names that meet nobody else's; killed, restarted and cleaned up at will. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { criClient, type CriClient } from './cri-client.ts';
import { sweep } from './leftovers.ts';
import { makeTestNetwork, type TestNetwork } from './test-network.ts';
import { patience } from './patience.ts';
import { beginPart, markVariable } from './test-run.ts';

export interface DaemonOptions {
  /** The handler of pods that name none. Default: RUNTIME of the environment, else crun. */
  readonly runtime?: string;
  /** TOML for the daemon's configuration file. */
  readonly config?: string;
  /** Contents of registries.conf, as for a registry without TLS. */
  readonly registriesConf?: string;
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error';
  /** Added to the daemon's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface DaemonPaths {
  /** Holds all the others. */
  readonly dir: string;
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly configFile: string;
  readonly registriesConf: string;
  readonly cniConfDir: string;
  /** Where the pods' log directories belong. */
  readonly logs: string;
  /** What the daemon itself wrote. */
  readonly daemonLog: string;
}

export interface Daemon {
  readonly client: CriClient;
  readonly paths: DaemonPaths;
  readonly network: TestNetwork;
  /** A cgroup parent for the pods, which `stopAndClean` removes. With the systemd driver a slice. */
  readonly cgroupParent: string;
  /** A cgroup below it for a pod, as the kubelet would name it to the daemon's cgroup driver. */
  podCgroup(name: string): string;
  readonly pid: number;
  /** Whether its process is there. */
  readonly alive: boolean;
  /** SIGKILL; the pods go on. */
  kill9(): Promise<void>;
  /** SIGTERM, and waits for the end; the pods go on. Throws when it does not end within 15 s or ends with an error. */
  stop(): Promise<void>;
  /** Starts it again, after `kill9` or `stop` (or stops it first); with `faults` as one that breaks on purpose (docs/faults.md). */
  restart(faults?: string): Promise<void>;
  /** Removes every pod through the daemon, stops it, and removes what is left by force. For `t.after`. */
  stopAndClean(): Promise<void>;
  /** What the daemon has logged so far. */
  log(): string;
}

/** A run of tests starts hundreds of daemons: compiled code is kept in the run's own folder. */
const compileCache = (): Record<string, string> => (process.env.NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE });
/** CGROUP_DRIVER of the environment; cgroupfs works on every machine. */
export const cgroupDriver = process.env.CGROUP_DRIVER ?? 'cgroupfs';
const program = path.join(import.meta.dirname, '../../bin/gantry');
const startDeadlineMs = 15_000 * patience;
const stopDeadlineMs = 15_000 * patience;

/** Starts `gantry serve` and waits until it answers. Throws with the end of its log when it does not. */
export async function startDaemon(options: DaemonOptions = {}): Promise<Daemon> {
  const part = beginPart();
  const paths = pathsIn(part.dir);
  for (const dir of [paths.root, paths.logs]) mkdirSync(dir, { mode: 0o711 });
  writeFileSync(paths.configFile, options.config ?? '');
  configureSandboxes(paths, options);
  writeFileSync(paths.registriesConf, options.registriesConf ?? '');
  const network = makeTestNetwork({ mark: part.mark, confDir: paths.cniConfDir, dataDir: path.join(part.dir, 'ipam') });
  const environment = { PATH: process.env.PATH!, [markVariable]: part.mark, ...compileCache(), ...options.env };
  const client = criClient(paths.socket);
  let running: ChildProcess | undefined;

  const start = async (faults = ''): Promise<void> => {
    running = launch(argumentsFor(paths, options), faults === '' ? environment : { ...environment, GANTRY_DEBUG_FAULTS: 'true', GANTRY_FAULTS: faults }, paths);
    await answering(client, running, paths);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (running === undefined) return;
    await ended(running, signal, paths);
    running = undefined;
  };
  const daemon: Daemon = {
    client,
    paths,
    network,
    cgroupParent: cgroupDriver === 'systemd' ? `/${part.mark}.slice` : `/${part.mark}`,
    podCgroup(name) {
      return cgroupDriver === 'systemd' ? `/${part.mark}.slice/${part.mark}-${name.replaceAll('-', '_')}.slice` : `/${part.mark}/${name}`;
    },
    get pid() {
      if (running?.pid === undefined) throw new Error('the daemon is not running');
      return running.pid;
    },
    get alive() {
      return running !== undefined && running.exitCode === null && running.signalCode === null;
    },
    kill9: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    async restart(faults) {
      await end('SIGTERM');
      await start(faults);
    },
    async stopAndClean() {
      try {
        if (running?.exitCode === null) await removePods(client);
        await end('SIGTERM');
      } finally {
        client.close();
        await sweep(part);
      }
    },
    log: () => readFileSync(paths.daemonLog, 'utf8'),
  };
  try {
    await start();
  } catch (error) {
    await daemon.stopAndClean().catch(() => {});
    throw error;
  }
  return daemon;
}

/** The one handler that the daemon does not know by itself, where RUNTIME names it; in a drop-in, as tests replace the file. */
function configureSandboxes({ configFile }: DaemonPaths, { runtime = process.env.RUNTIME, config = '' }: DaemonOptions): void {
  if (runtime !== 'runsc' || config.includes('[runtime.handlers.runsc]')) return;
  mkdirSync(`${configFile}.d`);
  writeFileSync(path.join(`${configFile}.d`, 'runsc.toml'), '[runtime.handlers.runsc]\npath = "/usr/bin/runsc"\nflags = ["--network=host", "--net-raw", "--oci-seccomp"]\n');
}

/** Stops and removes every pod that a runtime knows. */
export async function removePods(client: CriClient): Promise<void> {
  const { items } = await client.listPodSandbox();
  for (const { id } of items) {
    await client.stopPodSandbox({ podSandboxId: id });
    await client.removePodSandbox({ podSandboxId: id });
  }
}

function pathsIn(dir: string): DaemonPaths {
  return {
    dir,
    root: path.join(dir, 'r'),
    state: path.join(dir, 's'),
    socket: path.join(dir, 'gantry.sock'),
    configFile: path.join(dir, 'gantry.toml'),
    registriesConf: path.join(dir, 'registries.conf'),
    cniConfDir: path.join(dir, 'net.d'),
    logs: path.join(dir, 'logs'),
    daemonLog: path.join(dir, 'daemon.log'),
  };
}

function argumentsFor(paths: DaemonPaths, { runtime = process.env.RUNTIME ?? 'crun', logLevel = 'info' }: DaemonOptions): string[] {
  return [
    'serve', '--config', paths.configFile, '--root', paths.root, '--state', paths.state, '--socket', paths.socket,
    '--cni-conf-dir', paths.cniConfDir, '--registries-conf', paths.registriesConf, '--default-handler', runtime, '--cgroup-driver', cgroupDriver, '--log-level', logLevel,
  ];
}

/** In a process group of its own, so that Ctrl-C on the terminal reaches the test and not the daemon. */
function launch(args: readonly string[], env: Record<string, string>, paths: DaemonPaths): ChildProcess {
  const log = openSync(paths.daemonLog, 'a');
  try {
    return spawn(program, args, { env, cwd: '/', detached: true, stdio: ['ignore', log, log] });
  } finally {
    closeSync(log);
  }
}

async function answering(client: CriClient, daemon: ChildProcess, paths: DaemonPaths): Promise<void> {
  let failed: Error | undefined;
  daemon.once('error', (error) => { failed = error; });
  const until = Date.now() + startDeadlineMs;
  for (;;) {
    if (failed !== undefined) throw new Error(`cannot start ${program}: ${failed.message}`);
    if (daemon.exitCode !== null || daemon.signalCode !== null) throw new Error(`the daemon ended while starting (${daemon.exitCode ?? daemon.signalCode}):\n${lastLines(paths)}`);
    try {
      await client.version({}, { deadlineMs: 1000 * patience });
      return;
    } catch (error) {
      if (Date.now() > until) {
        daemon.kill('SIGKILL');
        throw new Error(`the daemon does not answer after ${startDeadlineMs} ms (${String(error)}):\n${lastLines(paths)}`, { cause: error });
      }
    }
    await sleep(20);
  }
}

async function ended(daemon: ChildProcess, signal: NodeJS.Signals, paths: DaemonPaths): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const exit = once(daemon, 'exit');
  daemon.kill(signal);
  const timer = AbortSignal.timeout(stopDeadlineMs);
  const late = await Promise.race([exit.then(() => false), once(timer, 'abort').then(() => true)]);
  if (late) {
    daemon.kill('SIGKILL');
    await exit;
    throw new Error(`the daemon had not ended ${stopDeadlineMs} ms after ${signal}:\n${lastLines(paths)}`);
  }
  if (signal === 'SIGTERM' && daemon.exitCode !== 0) throw new Error(`the daemon ended with ${daemon.exitCode ?? daemon.signalCode}:\n${lastLines(paths)}`);
}

function lastLines(paths: DaemonPaths): string {
  return readFileSync(paths.daemonLog, 'utf8').split('\n').slice(-30).join('\n');
}
