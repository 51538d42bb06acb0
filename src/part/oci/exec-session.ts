/**
 * Runs a command inside a running container for a client who is there meanwhile (CRI Exec): by the OCI runtime alone, on pipes or on a
 * terminal. The command has the pipes' ends themselves (with crun), so that back-pressure is the kernel's.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Readable, Writable } from 'node:stream';
import { failure, isKind } from '../../base/errors.ts';
import { endExec, fateOf } from './end-exec.ts';
import { ExecFiles } from './exec-files.ts';
import type { OciProcess } from './exec-files.ts';
import { startOnPipes } from './exec-on-pipes.ts';
import { startOnTerminal } from './exec-on-terminal.ts';
import type { OciRuntime } from './oci-runtime.ts';
import { endOutput } from './output-copy.ts';
import { runtimeFailure } from './runtime-failure.ts';
import { TerminalSizes } from './terminal-sizes.ts';
import type { TerminalSize } from './terminal-sizes.ts';

/** How long a command whose terminal hung up may take to end by itself. */
const hangUpGraceMs = 1000;

/** The client's ends. */
export interface SessionEnds {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  readonly resizes: AsyncIterable<TerminalSize>;
}

export interface ExecSessionRequest {
  readonly runtime: OciRuntime;
  readonly id: string;
  readonly process: OciProcess;
  readonly terminal: boolean;
  readonly streams: SessionEnds;
  /** A private directory for a few short-lived files. */
  readonly directory: string;
  /** The pids of all processes in the container's cgroup: the only ones that may be killed. */
  readonly containerPids: () => readonly number[];
  readonly signal: AbortSignal;
}

/** A started runtime. */
export interface StartedExec {
  /** Resolves with the exit code of the runtime, which is the command's, once all output is written to the client's streams. */
  readonly finished: Promise<number>;
  /** Resolves when the runtime has ended. */
  readonly exited: Promise<unknown>;
  /** What the runtime printed itself; to be asked only when the command never ran. */
  complaint(): Promise<string>;
  /** The client is gone: nobody reads and writes any more. */
  hangUp(): void;
  /** Kills the runtime. */
  kill(): void;
  /** Frees all descriptors. */
  close(): void;
}

/**
 * Returns the command's exit code, 128 + n when signal n ended it, after the last byte of its output and the end of both streams. What a
 * process that it left behind still writes is waited for 100 ms; only runc, which copies the output itself, waits for that process
 * until the client goes. Aborted signal (cancelled): the command and all its descendants are killed, on a terminal after a SIGHUP and
 * a second to obey it. A command that cannot be started is failed-precondition with the runtime's sentence, also when the container does not run; a container
 * that the runtime does not know is not-found.
 */
export async function execSession(request: ExecSessionRequest): Promise<number> {
  const sizes = new TerminalSizes(request.streams.resizes);
  if (request.terminal) await nextTurn(); // a size that is known at once is there then
  if (request.signal.aborted) throw cancelled(request, []);
  const files = new ExecFiles(request.directory, processOf(request, sizes.latest));
  try {
    const exec = request.terminal ? await startOnTerminal(request, files, sizes) : startOnPipes(request, files);
    try {
      return await supervise(request, files, exec);
    } finally {
      exec.close();
    }
  } finally {
    files.remove();
  }
}

function processOf({ process, terminal }: ExecSessionRequest, size: TerminalSize | undefined): OciProcess {
  return { ...process, terminal, ...(terminal && size !== undefined ? { consoleSize: { width: size.columns, height: size.rows } } : {}) };
}

async function supervise(request: ExecSessionRequest, files: ExecFiles, exec: StartedExec): Promise<number> {
  const over = new AbortController();
  const finished = exec.finished.then(async (code) => {
    if (files.pid() === undefined) throw runtimeFailure({ act: 'exec in container', id: request.id, runtime: request.runtime.name, stderr: await exec.complaint(), code });
    await Promise.all([endOutput(request.streams.stdout), endOutput(request.streams.stderr)]);
    return code;
  });
  finished.catch(() => {}); // nobody may be waiting for it any more
  try {
    return await Promise.race([finished, gone(request, over.signal)]);
  } catch (error) {
    if (!isKind(error, 'cancelled')) throw error;
    exec.hangUp();
    if (request.terminal) await hungUp(request, files, exec);
    throw cancelled(request, await endExec({ runtime: request.runtime, id: request.id, files, finished: exec.exited, abandon: () => exec.kill(), containerPids: request.containerPids }));
  } finally {
    over.abort();
  }
}

/** Rejects when the client goes away; never, once `over` is aborted. */
function gone(request: ExecSessionRequest, over: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const cancel = (): void => reject(cancelled(request, []));
  request.signal.addEventListener('abort', cancel, { once: true, signal: over });
  if (request.signal.aborted) cancel();
  return promise;
}

/** A runtime that keeps the real terminal itself does not pass on that ours hung up, so the command is told. */
async function hungUp({ runtime, containerPids }: ExecSessionRequest, files: ExecFiles, { exited }: StartedExec): Promise<void> {
  const pid = files.pid();
  if (pid === undefined) return;
  if (!runtime.sendsTerminal && containerPids().includes(pid)) process.kill(pid, 'SIGHUP');
  await Promise.race([exited, sleep(hangUpGraceMs, undefined, { ref: false })]);
}

function cancelled({ id, process }: ExecSessionRequest, left: readonly number[]): Error {
  return failure('cancelled', { act: 'exec in container', object: id, why: `the client went away from ${JSON.stringify(process.args[0] ?? '')}; ${fateOf(left)}` });
}
