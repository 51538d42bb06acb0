import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { isKind } from '../../base/errors.ts';
import { spawn } from '../../host/spawn.ts';
import type { Child, Stdio } from '../../host/spawn.ts';
import type { ExecFiles } from './exec-files.ts';
import { missingRuntime } from './oci-runtime.ts';
import type { OciRuntime } from './oci-runtime.ts';

/** How long output may still come after the exit, from a process that holds the pipe open. */
export const drainMs = 100;

const pollMs = 5;

const longestComplaint = 65_536;

/** Starts the runtime's `exec`, in the directory of the files. No such program: failed-precondition. */
export function spawnExec({ runtime, id, directory }: { readonly runtime: OciRuntime; readonly id: string; readonly directory: string }, how: { readonly files: ExecFiles; readonly stdio: readonly Stdio[]; readonly options?: readonly string[] }): Child {
  const { file, args } = runtime.command;
  try {
    return spawn(file, [...args, ...execArgs(runtime, how.files), ...(how.options ?? []), id], { cwd: directory, env: runtime.environment, stdio: how.stdio });
  } catch (error) {
    if (isKind(error, 'not-found')) throw missingRuntime(runtime, 'exec in container', id, error);
    throw error;
  }
}

/** The runtime's `exec`, up to its options and the container's id. */
export function execArgs({ sandbox }: OciRuntime, { processFile, pidFile, innerPidFile }: ExecFiles): string[] {
  return ['exec', '--process', processFile, '--pid-file', pidFile, ...(sandbox === undefined ? [] : ['--internal-pid-file', innerPidFile])];
}

/**
 * Whether what comes on a stream is the command's: the runtime complains on the same one. Nothing is taken from it before that is
 * certain, so that the client sees nothing of a command that never runs.
 */
export async function ofTheCommand(stream: Readable, { child, files }: { readonly child: Child; readonly files: ExecFiles }): Promise<boolean> {
  let exited = false;
  void child.exited.then(() => { exited = true; });
  await firstBytes(stream, child.exited);
  for (;;) {
    const over = exited;
    if (files.pid() !== undefined) return true;
    if (over) return false;
    await sleep(pollMs);
  }
}

/** Resolves when there is something to read, which stays there, or at the end. */
async function firstBytes(stream: Readable, exited: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const keep = (chunk: Buffer): void => {
    stream.pause();
    stream.unshift(chunk);
    resolve();
  };
  stream.on('error', () => {});
  stream.once('data', keep);
  await Promise.race([promise, exited]);
  stream.pause().off('data', keep);
}

/** What is left to read of what a runtime printed, at most 64 KiB of it. */
export async function complaintOf(stream: Readable): Promise<string> {
  let text = '';
  const ended = new Promise<void>((resolve) => {
    stream.once('end', () => resolve());
    stream.once('close', () => resolve());
  });
  stream.on('data', (chunk: Buffer) => {
    if (text.length < longestComplaint) text += chunk.toString();
  });
  stream.resume();
  if (!stream.destroyed && !stream.readableEnded) await Promise.race([ended, sleep(drainMs)]);
  return text;
}
