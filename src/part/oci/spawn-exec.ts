import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isKind } from '../../base/errors.ts';
import { spawn } from '../../host/spawn.ts';
import type { Child, Stdio } from '../../host/spawn.ts';
import type { ExecFiles } from './exec-files.ts';
import { missingRuntime } from './oci-runtime.ts';
import type { OciRuntime } from './oci-runtime.ts';

/** How long output may still come after the exit, from a process that holds the pipe open. */
export const drainMs = 100;

const longestComplaint = 65_536;

/** Starts the runtime's `exec`, in the directory of the files. No such program: failed-precondition. */
export function spawnExec({ runtime, id, directory }: { readonly runtime: OciRuntime; readonly id: string; readonly directory: string }, how: { readonly files: ExecFiles; readonly stdio: readonly Stdio[]; readonly options?: readonly string[] }): Child {
  const { file, args } = runtime.command;
  const { processFile, pidFile } = how.files;
  try {
    return spawn(file, [...args, 'exec', '--process', processFile, '--pid-file', pidFile, ...(how.options ?? []), id], { cwd: directory, stdio: how.stdio });
  } catch (error) {
    if (isKind(error, 'not-found')) throw missingRuntime(runtime, 'exec in container', id, error);
    throw error;
  }
}

/** What is left to read of a runtime's stderr, at most 64 KiB of it. */
export async function complaintOf(stderr: Socket): Promise<string> {
  let text = '';
  const ended = new Promise<void>((resolve) => { stderr.once('close', () => resolve()); });
  stderr.on('data', (chunk: Buffer) => {
    if (text.length < longestComplaint) text += chunk.toString();
  });
  stderr.resume();
  if (!stderr.destroyed) await Promise.race([ended, sleep(drainMs)]);
  return text;
}
