/** Runs a command inside a running container to its end (CRI ExecSync), by the OCI runtime alone: no conmon, no terminal. */
import { failure, isKind } from '../../base/errors.ts';
import { atPoint } from '../../base/faults.ts';
import { run } from '../../host/spawn.ts';
import type { RunResult } from '../../host/spawn.ts';
import { endExec, fateOf } from './end-exec.ts';
import { ExecFiles } from './exec-files.ts';
import type { OciProcess } from './exec-files.ts';
import { missingRuntime } from './oci-runtime.ts';
import type { OciRuntime } from './oci-runtime.ts';
import { runtimeFailure } from './runtime-failure.ts';
import { execArgs } from './spawn-exec.ts';

export const execOutputLimit = 16 * 1024 * 1024;

/** setTimeout's longest time, 24 days: what "no limit" comes to. */
const noLimitMs = 2 ** 31 - 1;

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
  const files = new ExecFiles(request.directory, request.process);
  const abandon = new AbortController();
  const running = runExec(request, files, abandon.signal);
  try {
    const result = await Promise.race([running, interruption(request, abandon.signal)]);
    if (files.pid() === undefined) throw runtimeFailure({ act: 'exec in container', id: request.id, runtime: request.runtime.name, stderr: result.stderr.toString(), code: result.code });
    return { stdout: result.stdout, stderr: result.stderr, exitCode: result.code };
  } catch (error) {
    if (!isKind(error, 'deadline-exceeded') && !isKind(error, 'cancelled')) throw error;
    const left = await endExec({ runtime: request.runtime, id: request.id, files, finished: running, abandon: () => abandon.abort(), containerPids: request.containerPids });
    throw interrupted(request, error, left);
  } finally {
    abandon.abort();
    files.remove();
  }
}

async function runExec({ runtime, id, maxBytes }: ExecSyncRequest, files: ExecFiles, signal: AbortSignal): Promise<RunResult> {
  const { file, args } = runtime.command;
  try {
    return await atPoint('program/runtime exec', () => run(file, [...args, ...execArgs(runtime, files), id], { env: runtime.environment, deadlineMs: noLimitMs, maxOutputBytes: maxBytes, signal, ...(runtime.chownsStreams ? { input: '' } : {}) }));
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

function interrupted(request: ExecSyncRequest, cause: unknown, left: readonly number[]): Error {
  const fate = fateOf(left);
  const detail = { act: 'exec in container', object: request.id, cause };
  const command = JSON.stringify(request.process.args[0] ?? '');
  return isKind(cause, 'cancelled')
    ? failure('cancelled', { ...detail, why: `the caller went away from ${command}; ${fate}` })
    : failure('deadline-exceeded', { ...detail, why: `${command} timed out after ${request.timeoutMs / 1000} s; ${fate}` });
}
