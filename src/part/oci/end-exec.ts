import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecFiles } from './exec-files.ts';
import { killExecTree } from './kill-exec-tree.ts';
import type { OciRuntime } from './oci-runtime.ts';

/** How long the runtime may take to notice that its command was killed. */
const reapMs = 500;

export interface RunningExec {
  readonly runtime: OciRuntime;
  /** The container's. */
  readonly id: string;
  readonly files: ExecFiles;
  /** Settles when the runtime's program has ended. */
  readonly finished: Promise<unknown>;
  /** Kills the runtime's program. */
  readonly abandon: () => void;
  readonly containerPids: () => readonly number[];
}

/**
 * Kills the command before the runtime that waits for it: its parent still reaps it then. Orphaned, it would stay a zombie that
 * the container sees until the host's process 1 comes round to it. Returns the pids that could not be killed.
 */
export async function endExec({ runtime, id, files, finished, abandon, containerPids }: RunningExec): Promise<number[]> {
  const tree = () => ({ container: id, pid: files.pid(), marker: files.marker, containerPids });
  const ended = finished.then(() => {}, () => {});
  if (files.pid() !== undefined) {
    if (runtime.sandbox === undefined) await killExecTree(tree());
    else await runtime.killInSandbox(id, files.innerPid());
    await Promise.race([ended, sleep(reapMs, undefined, { ref: false })]);
  }
  abandon();
  await ended;
  return await killExecTree(tree()); // what the runtime had started by then
}

/** What became of the processes of an exec, for a message. */
export function fateOf(left: readonly number[]): string {
  return left.length === 0 ? 'its processes were killed' : `process ${left.join(', ')} could not be killed`;
}
