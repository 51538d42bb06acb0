/** Runs a command inside a running container to its end (CRI ExecSync), by the OCI runtime alone: no conmon, no terminal. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, isKind } from '../../base/errors.ts';
import { run } from '../../host/spawn.ts';
import type { RunResult } from '../../host/spawn.ts';
import { killExecTree } from './kill-exec-tree.ts';
import type { ExecTree } from './kill-exec-tree.ts';
import { missingRuntime } from './oci-runtime.ts';
import type { OciRuntime } from './oci-runtime.ts';
import { runtimeFailure } from './runtime-failure.ts';

/** The environment variable that marks every process of one exec, so that a time-out finds those that left the family. */
export const execMarker = 'GANTRY_EXEC';

export const execOutputLimit = 16 * 1024 * 1024;

/** setTimeout's longest time, 24 days: what "no limit" comes to. */
const noLimitMs = 2 ** 31 - 1;

/** How long the runtime may take to notice that its command was killed. */
const reapMs = 500;

/** `process` of the OCI runtime spec. */
export interface OciProcess {
  readonly args: readonly string[];
  readonly env?: readonly string[];
  readonly [member: string]: unknown;
}

export interface ExecSyncRequest {
  readonly runtime: OciRuntime;
  readonly id: string;
  readonly process: OciProcess;
  /** 0 is no limit. */
  readonly timeoutMs: number;
  /** Kept of each stream; what comes after is read and dropped. */
  readonly maxBytes: number;
  /** A private directory for two short-lived files. */
  readonly directory: string;
  /** The pids of all processes in the container's cgroup: the only ones a time-out may kill. */
  readonly containerPids: () => readonly number[];
  readonly signal?: AbortSignal;
}

export interface ExecSyncResult {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** The command's exit code, 128 + n when signal n ended it. */
  readonly exitCode: number;
}

/**
 * Runs the command and returns its exit code, whatever it is, with what it wrote. Output that a process left behind
 * holds open is waited for 100 ms; only runc, which copies the output itself, waits for that process until the time-out.
 * At the time-out (deadline-exceeded) or when the signal is aborted (cancelled) the command and
 * all its descendants are killed first. A command that cannot be started is failed-precondition with the runtime's
 * sentence, also when the container does not run; a container that the runtime does not know is not-found.
 */
export async function execSync(request: ExecSyncRequest): Promise<ExecSyncResult> {
  const token = randomBytes(8).toString('hex');
  const processFile = join(request.directory, `exec-${token}.json`);
  const pidFile = join(request.directory, `exec-${token}.pid`);
  const marker = `${execMarker}=${token}`;
  writeFileSync(processFile, JSON.stringify({ ...request.process, env: [...(request.process.env ?? []), marker] }), { mode: 0o600 });
  const abandon = new AbortController();
  const running = runExec(request, { processFile, pidFile, signal: abandon.signal });
  try {
    const result = await Promise.race([running, interruption(request, abandon.signal)]);
    // The runtimes write the pid file once the command runs: without it, code and stderr are the runtime's own.
    if (readPid(pidFile) === undefined) throw runtimeFailure({ act: 'exec in container', id: request.id, runtime: request.runtime.name, stderr: result.stderr.toString(), code: result.code });
    return { stdout: result.stdout, stderr: result.stderr, exitCode: result.code };
  } catch (error) {
    if (!isKind(error, 'deadline-exceeded') && !isKind(error, 'cancelled')) throw error;
    const left = await endExec({ running, abandon, pidFile, tree: () => ({ pid: readPid(pidFile), marker, containerPids: request.containerPids }) });
    throw interrupted(request, error, left);
  } finally {
    abandon.abort();
    rmSync(processFile, { force: true });
    rmSync(pidFile, { force: true });
  }
}

async function runExec({ runtime, id, maxBytes }: ExecSyncRequest, { processFile, pidFile, signal }: { processFile: string; pidFile: string; signal: AbortSignal }): Promise<RunResult> {
  const { file, args } = runtime.command;
  try {
    return await run(file, [...args, 'exec', '--process', processFile, '--pid-file', pidFile, id], { deadlineMs: noLimitMs, maxOutputBytes: maxBytes, signal, ...(runtime.chownsStreams ? { input: '' } : {}) });
  } catch (error) {
    if (isKind(error, 'not-found')) throw missingRuntime(runtime, 'exec in container', id, error);
    throw error;
  }
}

/** Fails at the time-out (deadline-exceeded) or when the caller goes away (cancelled); never, once `over` is aborted. */
function interruption({ timeoutMs, signal }: ExecSyncRequest, over: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const cancel = (): void => reject(failure('cancelled', { act: 'exec', why: 'the caller went away' }));
  const timer = timeoutMs === 0 ? undefined : setTimeout(() => reject(failure('deadline-exceeded', { act: 'exec', why: 'timed out' })), Math.min(timeoutMs, noLimitMs));
  signal?.addEventListener('abort', cancel, { once: true });
  if (signal?.aborted === true) cancel();
  over.addEventListener('abort', () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
  }, { once: true });
  return promise;
}

/**
 * Kills the command before the runtime that waits for it: its parent still reaps it then. Orphaned, it would stay a zombie that
 * the container sees until the host's process 1 comes round to it. Returns the pids that could not be killed.
 */
async function endExec({ running, abandon, pidFile, tree }: { running: Promise<unknown>; abandon: AbortController; pidFile: string; tree: () => ExecTree }): Promise<number[]> {
  const finished = running.then(() => {}, () => {});
  if (readPid(pidFile) !== undefined) {
    await killExecTree(tree());
    await Promise.race([finished, sleep(reapMs, undefined, { ref: false })]);
  }
  abandon.abort();
  await finished;
  return await killExecTree(tree()); // what the runtime had started by then
}

function readPid(pidFile: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, 'latin1'), 10);
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function interrupted(request: ExecSyncRequest, cause: unknown, left: readonly number[]): Error {
  const fate = left.length === 0 ? 'its processes were killed' : `process ${left.join(', ')} could not be killed`;
  const detail = { act: 'exec in container', object: request.id, cause };
  const command = JSON.stringify(request.process.args[0] ?? '');
  return isKind(cause, 'cancelled')
    ? failure('cancelled', { ...detail, why: `the caller went away from ${command}; ${fate}` })
    : failure('deadline-exceeded', { ...detail, why: `${command} timed out after ${request.timeoutMs / 1000} s; ${fate}` });
}
