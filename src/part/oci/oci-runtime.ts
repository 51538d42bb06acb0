/**
 * One OCI runtime (crun, runc) as a handler of pods: its commands on containers that exist. Containers are created through
 * conmon (conmon.ts), commands run inside them by exec-sync.ts.
 */
import { failure, isKind, messageOf } from '../../base/errors.ts';
import { atPoint } from '../../base/faults.ts';
import type { Logger } from '../../base/log.ts';
import { run } from '../../host/spawn.ts';
import type { RunOptions, RunResult } from '../../host/spawn.ts';
import type { Command } from './command.ts';
import { runtimeFailure } from './runtime-failure.ts';
import { parseProbe } from './runtime-probe.ts';
import type { RuntimeProbe } from './runtime-probe.ts';
import { parseCpuTime, withDescendants } from './sandbox-answers.ts';
import { SandboxCpuTimes } from './sandbox-cpu-times.ts';
import { StartGates } from './start-gate.ts';

export interface OciRuntimeDeps {
  /** Handler name, for messages. */
  readonly name: string;
  /** Absolute path of the runtime's program. It may be missing: only calls fail then. */
  readonly path: string;
  /** Where the runtime keeps its containers' state; one folder a handler. */
  readonly stateRoot: string;
  /** True when containers' cgroups are made by systemd. */
  readonly systemdCgroup: boolean;
  /** Words that the configuration puts before every command. */
  readonly flags?: readonly string[];
  /** How long a create may take; 2 minutes when nobody says. */
  readonly createTimeoutMs?: number;
  /** Words in front of the runtime's `create` only (hybrid-wrapper.ts). */
  readonly createWrapper?: readonly string[];
  /** True for a runtime that may make the container's user the owner of its standard streams (without-dev-null.ts). */
  readonly chownsStreams?: boolean;
  /** True for a runtime whose `exec --console-socket` waits for the command (crun); the others do so only with a terminal of their own. */
  readonly sendsTerminal?: boolean;
  /** Present for gVisor (gvisor.ts), whose pods have a sandbox that their containers run in. */
  readonly sandbox?: SandboxTraits;
  /** True while all that is known of the program is the name of its file. */
  readonly isGuess?: boolean;
  readonly log: Logger;
}

export interface SandboxTraits {
  /** Pods' connections are made by the node's kernel, not by gVisor's. */
  readonly hostNetwork: boolean;
  /** System call filters of the node's files are loaded inside. */
  readonly ociSeccomp: boolean;
  /** Some kind of device of the node can be used inside. */
  readonly hostDevices: boolean;
  /** Words in front of the `start` of a sandbox. */
  readonly startWrapper: readonly string[];
}

/** `state` of the OCI runtime spec, as far as it is used. */
export interface RuntimeState {
  readonly status: 'creating' | 'created' | 'running' | 'paused' | 'stopped';
  /** Undefined once the container's process has ended. */
  readonly pid: number | undefined;
  readonly bundle: string;
}

/** Where CRIU puts what it captures of a container. Both folders are there. */
export interface CheckpointOrder {
  /** Gets the images, and belongs to this checkpoint alone. */
  readonly images: string;
  /** Gets `dump.log` and `stats-dump`. */
  readonly work: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

interface CommandOptions extends RunOptions {
  /** In place of the runtime's own. */
  readonly command?: Command;
}

const createDeadlineMs = 120_000;
const startDeadlineMs = 120_000;
const commandDeadlineMs = 30_000;
const askDeadlineMs = 10_000;

/**
 * Every method fails with failed-precondition when the runtime's program is missing, and with deadline-exceeded when it
 * hangs; any other failure carries the runtime's sentence and the kind that runtime-failure.ts finds in it.
 */
export class OciRuntime {
  readonly name: string;
  readonly path: string;
  /**
   * For whoever starts it. crun and runc bind themselves, read-only, to a file of a moment before they do anything (CVE-2019-5736): in the handler's state folder,
   * where it is ours to take away if they are killed meanwhile, and not in /tmp.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** What a command starts with: `file args… start ID`. */
  readonly command: Command;
  /** The same for `create` and `restore`. */
  readonly createCommand: Command;
  /** Its standard streams must not be a device of the node's (without-dev-null.ts). */
  readonly chownsStreams: boolean;
  /** Its `exec` hands over the terminal that it makes, and waits for the command all the same. */
  readonly sendsTerminal: boolean;
  readonly createTimeoutMs: number;
  /** Present when each pod needs a container of its own, a sandbox for the others to run in. */
  readonly sandbox: SandboxTraits | undefined;
  /** The program has not said yet what it is: no pod can be made with it before it has. */
  readonly isGuess: boolean;
  /** For a sandbox, or a container of a runtime that has none. */
  readonly #startCommand: Command;
  readonly #gates: StartGates | undefined;
  readonly #cpuTimes = new SandboxCpuTimes((id) => this.#askCpuTime(id));
  readonly #log: Logger;

  constructor(deps: OciRuntimeDeps) {
    const globals = ['--root', deps.stateRoot, ...(deps.systemdCgroup ? ['--systemd-cgroup'] : []), ...(deps.flags ?? [])];
    this.name = deps.name;
    this.path = deps.path;
    this.createTimeoutMs = deps.createTimeoutMs ?? createDeadlineMs;
    this.environment = { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', _LIBCONTAINER_STATEDIR: deps.stateRoot };
    this.command = { file: deps.path, args: globals };
    this.chownsStreams = deps.chownsStreams ?? false;
    this.sendsTerminal = deps.sendsTerminal ?? false;
    this.sandbox = deps.sandbox;
    this.isGuess = deps.isGuess ?? false;
    this.#gates = deps.sandbox === undefined ? undefined : new StartGates(deps.stateRoot);
    this.createCommand = wrapped(this.command, deps.createWrapper);
    this.#startCommand = wrapped(this.command, deps.sandbox?.startWrapper);
    this.#log = deps.log.with({ handler: deps.name });
  }

  /** What conmon creates a container with. `asSandbox`: it is what the pod's other containers run in. */
  createCommandOf(id: string, asSandbox: boolean): Command {
    if (this.#gates === undefined) return this.createCommand;
    if (!asSandbox) return this.#gates.creating(id, this.createCommand);
    this.#gates.expect(id);
    return this.createCommand;
  }

  /** What the program says of itself: version and features. */
  async probe(): Promise<RuntimeProbe> {
    const version = await this.#run('ask the version of', this.path, ['--version'], { deadlineMs: askDeadlineMs });
    if (version.code !== 0) throw this.#failed('ask the version of', this.path, version);
    // Debian 12's crun has no such command: then the version has to tell.
    const features = await this.#run('ask the features of', this.path, ['features'], { deadlineMs: askDeadlineMs });
    return parseProbe(version.stdout.toString(), features.code === 0 ? features.stdout.toString() : undefined);
  }

  /**
   * Starts the process of a created container. In any other state: failed-precondition; unknown: not-found; an aborted signal:
   * cancelled. crun waits for ever when the process is killed in this very moment: the caller who learns of that aborts.
   */
  async start(id: string, signal?: AbortSignal): Promise<void> {
    const options = { deadlineMs: startDeadlineMs, ...(signal === undefined ? {} : { signal }) };
    const answer = await this.#gates?.start(id, options);
    if (answer === undefined) return await this.#command('start container', id, ['start', id], { ...options, command: this.#startCommand });
    if (answer.code !== 0) throw runtimeFailure({ act: 'start container', id, runtime: this.name, stderr: answer.complaint, code: answer.code });
  }

  /**
   * Signals the container's first process, or with `all` every process of it. A container that has ended or is unknown is
   * success: there is nothing left to signal.
   */
  async kill(id: string, signal: string, options: { readonly all: boolean } = { all: false }): Promise<void> {
    if (signal === '9') await this.#gates?.dismiss(id);
    const args = ['kill', ...(options.all ? ['--all'] : []), id, signal];
    const result = await this.#run('signal container', id, args, { deadlineMs: commandDeadlineMs });
    if (result.code === 0 || /not running|no such process|already finished/i.test(result.stderr.toString())) return;
    const failed = this.#failed('signal container', id, result);
    if (!isKind(failed, 'not-found')) throw failed;
  }

  /**
   * Kills a process of a container in a sandbox, by its pid there, with all that descend from it; what it left to the container's first process
   * cannot be told from others and goes on. Undefined, or no such process any more, is success.
   */
  async killInSandbox(id: string, pid: number | undefined): Promise<void> {
    if (pid === undefined) return;
    const table = await this.#run('list the processes of container', id, ['ps', '--format', 'table', id], { deadlineMs: askDeadlineMs });
    for (const victim of withDescendants(pid, table.stdout.toString())) {
      await this.#run('kill a process of container', id, ['kill', '--pid', String(victim), id, '9'], { deadlineMs: askDeadlineMs });
    }
  }

  /**
   * The CPU time of a container in a sandbox, in nanoseconds: its share of the sandbox's, by the ticks that its first process and what descends from
   * it have been seen at work; zero before the first of them. It never falls. Undefined when the sandbox does not tell, or hangs: the stats of the
   * whole node are listed all the same.
   */
  cpuTimeInSandbox(id: string): Promise<bigint | undefined> {
    return this.#cpuTimes.of(id);
  }

  async #askCpuTime(id: string): Promise<bigint | undefined> {
    try {
      const result = await this.#run('ask what container uses', id, ['events', '--stats', id], { deadlineMs: askDeadlineMs });
      return result.code === 0 ? parseCpuTime(result.stdout.toString()) : undefined;
    } catch (error) {
      this.#log.warn('the CPU time of a container in a sandbox is not known', { container: id, error: messageOf(error) });
      return undefined;
    }
  }

  /**
   * Removes the runtime's record, cgroup and mounts of an ended container; with `force` kills a running one first. Unknown is
   * success.
   */
  async delete(id: string, options: { readonly force: boolean } = { force: false }): Promise<void> {
    const args = ['delete', ...(options.force ? ['--force'] : []), id];
    const result = await this.#run('delete container', id, args, { deadlineMs: commandDeadlineMs });
    await this.#gates?.remove(id);
    this.#cpuTimes.forget(id);
    if (result.code === 0) return;
    const failed = this.#failed('delete container', id, result);
    if (!isKind(failed, 'not-found')) throw failed;
    this.#log.debug('the runtime knew no such container', { container: id });
  }

  /** What the runtime knows of a container; undefined when it knows none of that id. */
  async state(id: string): Promise<RuntimeState | undefined> {
    const result = await this.#run('ask the state of container', id, ['state', id], { deadlineMs: askDeadlineMs });
    if (result.code !== 0) {
      const failed = this.#failed('ask the state of container', id, result);
      if (isKind(failed, 'not-found')) return undefined;
      throw failed;
    }
    return parseState(id, result.stdout.toString());
  }

  /** Stops all processes of a container where they are, by its cgroup's freezer. */
  async pause(id: string): Promise<void> {
    await this.#command('pause container', id, ['pause', id], { deadlineMs: commandDeadlineMs });
  }

  /** Lets them go on. A container that is not paused, has ended or is unknown is success. */
  async resume(id: string): Promise<void> {
    const result = await this.#run('resume container', id, ['resume', id], { deadlineMs: commandDeadlineMs });
    if (result.code === 0 || /not paused/i.test(result.stderr.toString())) return;
    const failed = this.#failed('resume container', id, result);
    if (isKind(failed, 'not-found') || (await this.state(id))?.status === 'stopped') return;
    throw failed;
  }

  /**
   * Has CRIU write down a container's processes, which are still there afterwards. Locks on files, connections and sockets that lead out of the container are
   * part of it. It may be broken off: CRIU lets go of the processes when it is killed, and thaws a paused container while it works.
   */
  async checkpoint(id: string, { images, work, deadlineMs, signal }: CheckpointOrder): Promise<void> {
    const args = ['checkpoint', '--leave-running', '--file-locks', '--tcp-established', '--ext-unix-sk', '--image-path', images, '--work-path', work, id];
    await this.#command('checkpoint container', id, args, { deadlineMs, signal });
  }

  /** Changes the cgroup limits: `resources` is the JSON of linux.resources of the OCI runtime spec, with only the members to change. */
  async update(id: string, resources: string): Promise<void> {
    if (this.sandbox !== undefined) throw failure('failed-precondition', { act: 'update resources of container', object: id, why: `${this.name}: gVisor cannot change the limits of a container that is there; restart the pod with the new ones` });
    await this.#command('update resources of container', id, ['update', '--resources', '/dev/stdin', id], { deadlineMs: commandDeadlineMs, input: resources });
  }

  async #command(act: string, id: string, args: readonly string[], options: CommandOptions): Promise<void> {
    const result = await this.#run(act, id, args, options);
    if (result.code !== 0) throw this.#failed(act, id, result);
  }

  async #run(act: string, object: string, args: readonly string[], { command = this.command, ...options }: CommandOptions): Promise<RunResult> {
    try {
      return await atPoint(`program/runtime ${args[0]}`, () => run(command.file, [...command.args, ...args], { env: this.environment, ...options }));
    } catch (error) {
      if (isKind(error, 'not-found')) throw missingRuntime(this, act, object, error);
      if (isKind(error, 'deadline-exceeded')) throw failure('deadline-exceeded', { act, object, why: `${this.name} (${args[0]}) did not finish within ${options.deadlineMs / 1000} s`, cause: error });
      throw error;
    }
  }

  #failed(act: string, id: string, result: RunResult): Error {
    return runtimeFailure({ act, id, runtime: this.name, stderr: result.stderr.toString(), code: result.code });
  }
}

/** The failed-precondition for a handler whose program is not there. */
export function missingRuntime(runtime: { readonly name: string; readonly path: string }, act: string, object: string, cause: unknown): Error {
  return failure('failed-precondition', { act, object, why: `runtime handler ${runtime.name}: no program ${runtime.path}; install it or correct the handler's path`, cause });
}

function wrapped(command: Command, [wrapper, ...words]: readonly string[] = []): Command {
  return wrapper === undefined ? command : { file: wrapper, args: [...words, command.file, ...command.args] };
}

function parseState(id: string, text: string): RuntimeState {
  try {
    const state = JSON.parse(text) as { status: RuntimeState['status']; pid?: number; bundle: string };
    return { status: state.status, pid: state.pid !== undefined && state.pid > 0 ? state.pid : undefined, bundle: state.bundle };
  } catch (cause) {
    throw failure('internal', { act: 'ask the state of container', object: id, why: `the runtime's answer is no JSON: ${text.slice(0, 200)}`, cause });
  }
}
