/**
 * The only way to start a program. Every child gets a process group of its own, a clean environment, default signals and
 * no descriptor of ours beyond those it is given; every wait has a deadline.
 */
import { Socket } from 'node:net';
import { closeSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { failure, hasCode } from '../base/errors.ts';
import { abandon } from './abandoned.ts';
import { libc, O_CLOEXEC } from './libc.ts';
import { anyExited, nullDescriptor, posixSpawn, reap } from './posix-spawn.ts';
import type { ExitStatus } from './posix-spawn.ts';

export type { ExitStatus } from './posix-spawn.ts';

/** What a child's descriptor is: /dev/null, a pipe it reads, a pipe it writes, or a descriptor of ours by number. */
export type Stdio = 'null' | 'pipe-in' | 'pipe-out' | number;

export interface Child {
  readonly pid: number;
  /** Our end of each pipe, by the child's descriptor number. */
  readonly streams: readonly (Socket | undefined)[];
  readonly exited: Promise<ExitStatus>;
  /** Signals the child's whole process group; a group that is gone is no error. */
  kill(signal: NodeJS.Signals): void;
}

export interface SpawnOptions {
  /** The whole environment; by default only PATH. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdio: readonly Stdio[];
}

const waiting = new Map<number, (status: ExitStatus) => void>();

// One listener serves all children. Every container's conmon is one, so that asking each on every SIGCHLD would make the end of any
// program cost more with each container: the kernel is asked who has exited. libuv reaps only children of its own; while one of those
// is first in the kernel's answer, all of ours are asked in turn.
function collectExited(): void {
  for (let pid = anyExited(); pid !== undefined; pid = anyExited()) {
    if (!waiting.has(pid)) {
      for (const each of waiting.keys()) collect(each);
      break;
    }
    collect(pid);
  }
}

function collect(pid: number): void {
  const status = reap(pid);
  if (status === undefined) return;
  waiting.get(pid)?.(status);
  waiting.delete(pid);
  if (waiting.size === 0) process.off('SIGCHLD', collectExited);
}

function exitOf(pid: number): Promise<ExitStatus> {
  return new Promise((resolve) => {
    if (waiting.size === 0) process.on('SIGCHLD', collectExited);
    waiting.set(pid, resolve);
    collect(pid); // it may have exited before the listener was there
  });
}

/** Starts a program and returns at once. No such program: not-found. The caller owns the streams and the waiting. */
export function spawn(file: string, args: readonly string[], options: SpawnOptions): Child {
  const { descriptors, theirs, ours } = openStdio(options.stdio);
  let pid: number;
  try {
    pid = posixSpawn({ file, args, env: options.env ?? { PATH: process.env['PATH'] ?? '' }, cwd: options.cwd, descriptors });
  } catch (error) {
    for (const fd of ours) if (fd !== undefined) closeSync(fd);
    if (hasCode(error, 'ENOENT')) throw failure('not-found', { act: 'run program', object: file, why: 'no such program (or its working directory is missing)', cause: error });
    throw failure('internal', { act: 'run program', object: file, cause: error });
  } finally {
    for (const fd of theirs) closeSync(fd);
  }
  // A pipe has one direction, and a Socket that tried the other would be destroyed by the error.
  const streams = options.stdio.map((kind, n) => (ours[n] === undefined ? undefined : new Socket({ fd: ours[n], readable: kind === 'pipe-out', writable: kind === 'pipe-in' })));
  return { pid, streams, exited: exitOf(pid), kill: (signal) => killGroup(pid, signal) };
}

interface OpenStdio {
  /** What the child's descriptors are copies of. */
  readonly descriptors: number[];
  /** The child's pipe ends: to be closed here once it has them. */
  readonly theirs: number[];
  /** Our pipe ends, by the child's descriptor number. */
  readonly ours: (number | undefined)[];
}

function openStdio(stdio: readonly Stdio[]): OpenStdio {
  const opened: OpenStdio = { descriptors: [], theirs: [], ours: [] };
  try {
    for (const [n, kind] of stdio.entries()) {
      if (kind !== 'pipe-in' && kind !== 'pipe-out') {
        opened.descriptors.push(kind === 'null' ? nullDescriptor() : kind);
        continue;
      }
      const [readEnd, writeEnd] = libc.pipe2(O_CLOEXEC);
      const [their, our] = kind === 'pipe-in' ? [readEnd, writeEnd] : [writeEnd, readEnd];
      opened.descriptors.push(their);
      opened.theirs.push(their);
      opened.ours[n] = our;
    }
    return opened;
  } catch (error) {
    for (const fd of [...opened.theirs, ...opened.ours]) if (fd !== undefined) closeSync(fd);
    throw error;
  }
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Written to the child's standard input, which is /dev/null otherwise. */
  readonly input?: Uint8Array | string;
  readonly deadlineMs: number;
  /** What is kept of each output stream; the rest is read and dropped. Default 1 MiB. */
  readonly maxOutputBytes?: number;
  readonly signal?: AbortSignal;
}

export interface RunResult {
  /** The exit code, or 128 + n when signal n ended the program. */
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** True when output was dropped. */
  readonly truncated: boolean;
}

/** How long output may still come after the exit, from a grandchild that holds the pipe open. */
const drainMs = 100;

/**
 * Runs a program to its end and returns its exit code and output, whatever the code. At the deadline the whole process
 * group is killed: deadline-exceeded, naming the program. An aborted signal does the same: cancelled.
 */
export async function run(file: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const child = spawn(file, args, {
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: [options.input === undefined ? 'null' : 'pipe-in', 'pipe-out', 'pipe-out'],
  });
  const [stdin, stdout, stderr] = child.streams;
  if (stdin !== undefined && options.input !== undefined) feed(stdin, options.input);
  const limit = options.maxOutputBytes ?? 1024 * 1024;
  const out = gather(stdout!, limit);
  const err = gather(stderr!, limit);
  const ended = await withDeadline(child, options);
  if (typeof ended === 'string') void countUnlessGone(child, file);
  await Promise.race([Promise.all([out.ended, err.ended]), drained()]);
  for (const stream of child.streams) stream?.destroy();
  if (ended === 'deadline') throw failure('deadline-exceeded', { act: 'run program', object: file, why: `not finished after ${options.deadlineMs} ms (${args[0] ?? 'no arguments'})` });
  if (ended === 'cancelled') throw failure('cancelled', { act: 'run program', object: file, why: 'the caller went away' });
  return { code: ended.code, stdout: out.bytes(), stderr: err.bytes(), truncated: out.dropped() || err.dropped() };
}

/** A busy loop runs its late timers before it reads: what was written before the exit is read in the turn after the wait. */
async function drained(): Promise<void> {
  await sleep(drainMs, undefined, { ref: false });
  await nextTurn();
}

async function withDeadline(child: Child, options: RunOptions): Promise<ExitStatus | 'deadline' | 'cancelled'> {
  let give: ((why: 'deadline' | 'cancelled') => void) | undefined;
  const given = new Promise<'deadline' | 'cancelled'>((resolve) => { give = resolve; });
  const timer = setTimeout(() => give!('deadline'), options.deadlineMs);
  const abort = (): void => give!('cancelled');
  if (options.signal?.aborted === true) abort();
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    const first = await Promise.race([child.exited, given]);
    if (typeof first === 'string') child.kill('SIGKILL'); // reaped by the SIGCHLD listener; not waited for: it may be stuck in the kernel
    return first;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', abort);
  }
}

/** How long a killed program takes to be gone, unless the kernel holds it. */
const killPatienceMs = 1000;

async function countUnlessGone(child: Child, file: string): Promise<void> {
  const gone = child.exited.then(() => true);
  if (!(await Promise.race([gone, sleep(killPatienceMs, false, { ref: false })]))) abandon({ act: 'run program', object: `${file} (process ${child.pid})` }, gone);
}

function feed(stdin: Socket, input: Uint8Array | string): void {
  stdin.on('error', () => {}); // a program may close its input unread
  stdin.end(input);
}

interface Gathered {
  readonly ended: Promise<void>;
  bytes(): Buffer;
  dropped(): boolean;
}

function gather(stream: Socket, limit: number): Gathered {
  const chunks: Buffer[] = [];
  let kept = 0;
  let dropped = false;
  stream.on('data', (chunk: Buffer) => {
    const room = limit - kept;
    if (chunk.length > room) dropped = true;
    if (room <= 0) return;
    const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
    chunks.push(part);
    kept += part.length;
  });
  stream.on('error', () => {});
  return {
    ended: new Promise((resolve) => { stream.once('close', () => resolve()); }),
    bytes: () => Buffer.concat(chunks),
    dropped: () => dropped,
  };
}
