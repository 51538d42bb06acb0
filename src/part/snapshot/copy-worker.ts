/** The thread that copies the layers of one tree. It looks at the flag between two steps, so that nothing is written after it has answered. */
import { renameSync, rmSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../base/errors.ts';
import { copyLayers } from './copy-layers.ts';
import type { CopyRequest } from './copy-layers.ts';
import type { CopiedUsage } from './snapshotter.ts';

export interface CopyJob extends CopyRequest {
  /** One Int32; anything but 0 asks for the end. */
  readonly cancelled: SharedArrayBuffer;
}

export type CopyAnswer = { readonly done: CopiedUsage } | { readonly cancelled: true } | { readonly code: string; readonly message: string };

class Cancelled extends Error {}

function answer({ cancelled, target, ...request }: CopyJob): CopyAnswer {
  const flag = new Int32Array(cancelled);
  const part = `${target}.part`;
  const proceed = (): void => {
    if (Atomics.load(flag, 0) !== 0) throw new Cancelled();
  };
  try {
    rmSync(part, { recursive: true, force: true });
    const done = copyLayers({ ...request, target: part }, proceed);
    renameSync(part, target); // whoever finds `target` finds all of it
    return { done };
  } catch (error) {
    if (error instanceof Cancelled) return { cancelled: true };
    return { code: (error as NodeJS.ErrnoException).code ?? '', message: messageOf(error) };
  }
}

// The rule is about windows: a thread has no origin.
// eslint-disable-next-line unicorn/require-post-message-target-origin
parentPort?.postMessage(answer(workerData as CopyJob));
