/**
 * Creates a container as a child of conmon, the small C monitor that CRI-O and Podman use too: it holds the container's
 * stdio, writes its log in the CRI format, records its exit in the exit directory, and outlives us.
 *
 * Choices among conmon's options:
 * - `--sync`: conmon stays our child instead of forking once more, so its pid is known before it does anything, and its
 *   death is an event (SIGCHLD) as long as we live. It survives us all the same.
 * - `--full-attach`: the attach socket lies in the bundle; no directory of symlinks that somebody has to tidy.
 * - `--no-sync-log`: no fsync of the log between the container's end and the exit file.
 * - bundle as working directory: conmon makes its `oom` file there.
 * What conmon adds to a plain `create` is mainly its files in the bundle (socket, two fifos, pid file): about 4 ms when
 * the bundle is on tmpfs, up to 15 ms on a disk file system.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { during, failure, GantryError, isKind, messageOf } from '../../base/errors.ts';
import { atPoint } from '../../base/faults.ts';
import type { Logger } from '../../base/log.ts';
import { fencedFiles } from '../../host/fenced-files.ts';
import { spawn } from '../../host/spawn.ts';
import type { Child } from '../../host/spawn.ts';
import { bundleFiles } from './bundle.ts';
import { missingRuntime } from './oci-runtime.ts';
import type { OciRuntime } from './oci-runtime.ts';
import { processRef } from './process-ref.ts';
import type { ProcessRef } from './process-ref.ts';
import { runtimeFailure, sentenceOf } from './runtime-failure.ts';
import { withoutDevNull } from './without-dev-null.ts';

export interface ConmonRequest {
  /** Absolute path of conmon. */
  readonly conmon: string;
  readonly runtime: OciRuntime;
  readonly id: string;
  /** The container's name, for conmon's messages only. */
  readonly name: string;
  /** Directory with config.json. Best on tmpfs. */
  readonly bundle: string;
  readonly exitDir: string;
  /**
   * Where the log goes; empty: output is thrown away. conmon follows symlinks in it: the caller has proved that it lies
   * where it may. A colon in it is invalid-argument, as conmon would cut the path there.
   */
  readonly logPath: string;
  /** Gives the container a stdin that attached clients write to; /dev/null otherwise. */
  readonly stdin: boolean;
  /** With `stdin`: the first client that goes away closes it (CRI `stdin_once`). */
  readonly stdinOnce: boolean;
  /** Gives the container a terminal; process.terminal of its spec has to agree. */
  readonly terminal: boolean;
  /**
   * Directories of cgroups that conmon joins before it starts anything. Empty leaves it in ours, where systemd kills it
   * with our service unless that has KillMode=process.
   */
  readonly cgroups: readonly string[];
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  /** True for a pod's own container, which its others run in or beside. */
  readonly asSandbox?: boolean;
  /** The folder with CRIU's images of a container that was captured: its processes go on from there, instead of waiting for `start`. */
  readonly restoreFrom?: string;
}

export interface CreatedContainer {
  /** The container's first process; it waits for `start`. */
  readonly container: ProcessRef;
  readonly conmon: ProcessRef;
  /** Resolves when conmon has ended. */
  readonly conmonExited: Promise<void>;
}

/**
 * Creates the container; its process waits for `start`. When the runtime refuses, the error has the runtime's sentence and
 * a kind found in it; a missing runtime or conmon is failed-precondition; a create that hangs is deadline-exceeded. After
 * any failure neither conmon nor the runtime's container is left.
 */
export async function createWithConmon(request: ConmonRequest, log: Logger): Promise<CreatedContainer> {
  if (request.logPath.includes(':')) throw failure('invalid-argument', { act: 'create container', object: request.id, why: `log path ${request.logPath} has a colon, which conmon cannot take` });
  await checkPrograms(request);
  const child = await atPoint('program/conmon', () => spawn(request.conmon, conmonArgs(request), {
    cwd: request.bundle,
    env: { ...request.runtime.environment, _OCI_SYNCPIPE: '3', _OCI_STARTPIPE: '4', CHARSET: argumentsCharset },
    stdio: ['null', 'null', 'pipe-out', 'pipe-out', 'pipe-in'],
  }));
  try {
    return await supervise(child, request);
  } catch (error) {
    await abandon(child, request, log);
    throw error;
  } finally {
    for (const stream of child.streams) stream?.destroy();
  }
}

/** The conmon that was started in this bundle last, dead or alive; undefined when none was. */
export function conmonOf(bundle: string): ProcessRef | undefined {
  try {
    return JSON.parse(readFileSync(bundleFiles(bundle).conmon, 'utf8')) as ProcessRef;
  } catch {
    return undefined; // never written, or cut short by a crash before conmon was let go on
  }
}

/**
 * Throws failed-precondition when the runtime's program or conmon is missing. Worth asking before the creation goes on
 * record: what a missing runtime never made, it could not take away either. Neither is run where its file system does not answer:
 * deadline-exceeded or unavailable (FencedFiles).
 */
export async function checkPrograms({ conmon, runtime, id }: Pick<ConmonRequest, 'conmon' | 'runtime' | 'id'>): Promise<void> {
  await fencedFiles.reachProgram(runtime.path).catch((cause: unknown) => {
    if (cause instanceof GantryError) throw during(cause, { act: 'create container', object: id });
    throw missingRuntime(runtime, 'create container', id, cause);
  });
  await fencedFiles.reachProgram(conmon).catch((cause: unknown) => {
    if (cause instanceof GantryError) throw during(cause, { act: 'create container', object: id });
    throw failure('failed-precondition', { act: 'create container', object: id, why: `no program ${conmon}; install conmon or correct its path`, cause });
  });
}

function actOf({ restoreFrom }: ConmonRequest): string {
  return restoreFrom === undefined ? 'create container' : 'restore container';
}

/** Without it conmon's option parser (GLib) takes arguments for ASCII and ends at the first name or log path that is not. */
const argumentsCharset = 'UTF-8';

function conmonArgs(request: ConmonRequest): string[] {
  const { runtime, bundle, id } = request;
  const plain = runtime.createCommandOf(id, request.asSandbox ?? false);
  const create = runtime.chownsStreams && (request.terminal || !request.stdin) ? withoutDevNull(plain, request) : plain;
  return [
    '--api-version', '1', '--sync', '--full-attach', '--no-sync-log', '--log-level', 'error',
    '--cid', id, '--cuuid', id, '--name', request.name,
    '--bundle', bundle,
    '--container-pidfile', bundleFiles(bundle).containerPid,
    '--exit-dir', request.exitDir,
    '--log-path', request.logPath === '' ? 'null' : `k8s-file:${request.logPath}`,
    '--runtime', create.file,
    // One word with its value: a value that begins with a dash would be taken for an option of conmon.
    ...create.args.map((word) => `--runtime-arg=${word}`),
    ...(request.restoreFrom === undefined ? [] : ['--restore', request.restoreFrom]),
    ...(request.terminal ? ['--terminal'] : []),
    ...(request.stdin ? ['--stdin'] : []),
    ...(request.stdin && !request.stdinOnce ? ['--leave-stdin-open'] : []),
  ];
}

async function supervise(child: Child, request: ConmonRequest): Promise<CreatedContainer> {
  const [, , stderr, sync, start] = child.streams as (Socket | undefined)[];
  const complaints = collect(stderr!);
  const conmon = processRef(child.pid);
  if (conmon === undefined) throw conmonFailed(request, (await complaints).toString());
  writeFileSync(bundleFiles(request.bundle).conmon, JSON.stringify(conmon), { mode: 0o600 });
  for (const cgroup of request.cgroups) writeFileSync(join(cgroup, 'cgroup.procs'), String(child.pid));
  start!.on('error', () => {}); // conmon ended first: the sync pipe tells
  start!.write('\n');
  const line = await withDeadline(firstLine(sync!), request);
  if (line === '') throw conmonFailed(request, (await complaints).toString());
  const container = containerOf(line, request);
  return { container, conmon, conmonExited: endOf(child) };
}

async function endOf(child: Child): Promise<void> {
  await child.exited;
}

/** Reads conmon's answer on the sync pipe: `{"data": PID}`, or `{"data": -1, "message": "…"}` with the runtime's stderr. */
function containerOf(line: string, request: ConmonRequest): ProcessRef {
  const answer = parseAnswer(line);
  if (answer.data <= 0) throw runtimeFailure({ act: actOf(request), id: request.id, runtime: request.runtime.name, stderr: answer.message, code: 1 });
  const container = processRef(answer.data);
  if (container === undefined) throw failure('internal', { act: actOf(request), object: request.id, why: 'its process ended right after it was created' });
  return container;
}

function parseAnswer(line: string): { data: number; message: string } {
  try {
    const answer = JSON.parse(line) as { data?: number; message?: string };
    return { data: answer.data ?? -1, message: answer.message ?? '' };
  } catch {
    return { data: -1, message: line }; // conmon 2.1.6 does not escape every byte of a message
  }
}

function conmonFailed(request: ConmonRequest, stderr: string): Error {
  const sentence = sentenceOf(stderr);
  return failure('internal', { act: actOf(request), object: request.id, why: `conmon ended without an answer${sentence === '' ? '' : `: ${sentence}`}` });
}

/** Everything up to the first newline or the end, at most 64 KiB. */
function firstLine(stream: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    stream.setEncoding('utf8');
    stream.on('data', (part: string) => {
      text += part;
      if (text.includes('\n') || text.length > 65_536) resolve(text.split('\n', 1)[0]!);
    });
    stream.on('error', () => {});
    stream.once('close', () => resolve(text));
  });
}

/** What conmon says on stderr before it lets go of it, at most 64 KiB; complete once the pipe closes. */
function collect(stream: Socket): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on('data', (chunk: Buffer) => {
      if (size > 65_536) return;
      size += chunk.length;
      chunks.push(chunk);
    });
    stream.on('error', () => {});
    stream.once('close', () => resolve(Buffer.concat(chunks)));
  });
}

async function withDeadline<T>(work: Promise<T>, request: ConmonRequest): Promise<T> {
  const { deadlineMs, signal, id, runtime } = request;
  const act = actOf(request);
  let giveUp: (error: Error) => void;
  const given = new Promise<never>((_, reject) => { giveUp = reject; });
  const timer = setTimeout(() => giveUp(failure('deadline-exceeded', { act, object: id, why: `${runtime.name} did not finish within ${deadlineMs / 1000} s` })), deadlineMs);
  const abort = (): void => giveUp(failure('cancelled', { act, object: id, why: 'the caller went away' }));
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, given]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/**
 * Takes back a create that failed half-way. The runtime dies with conmon, which made SIGKILL its parent-death signal; a
 * container that the runtime had already recorded is deleted. Processes of a create that was killed before the runtime
 * recorded anything are in the container's cgroup, which the caller empties.
 */
async function abandon(child: Child, { runtime, id }: ConmonRequest, log: Logger): Promise<void> {
  child.kill('SIGKILL');
  try {
    await runtime.delete(id, { force: true });
  } catch (error) {
    if (!isKind(error, 'not-found')) log.warn('could not delete a half-made container', { container: id, error: messageOf(error) });
  }
}
