import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { failure } from '../../base/errors.ts';
import type { Labelled, LabelRequest } from './label-tree.ts';
import type { RelabelAnswer } from './relabel-worker.ts';

const workerFile = new URL(`./relabel-worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);

/**
 * labelTree on a thread of its own, with its errors. At the deadline, or when the signal is aborted, the thread is ended and what it did stays: the
 * next try passes over the files that are right already. Errors besides: deadline-exceeded, cancelled.
 */
export async function relabel(request: LabelRequest, { deadlineMs, signal }: { deadlineMs: number; signal: AbortSignal }): Promise<Labelled> {
  const late = AbortSignal.timeout(deadlineMs);
  const worker = new Worker(workerFile, { name: 'relabel', workerData: request, env: {}, execArgv: [] });
  worker.on('error', () => {}); // also one that comes when nobody waits any more
  try {
    const [answer] = (await once(worker, 'message', { signal: AbortSignal.any([late, signal]) })) as [RelabelAnswer];
    if ('done' in answer) return answer.done;
    throw failure(answer.failed.kind, { act: 'relabel volume', object: request.path, why: answer.failed.why });
  } catch (error) {
    if (signal.aborted) throw failure('cancelled', { act: 'relabel volume', object: request.path, why: 'the pod was stopped meanwhile', cause: error });
    if (late.aborted) throw failure('deadline-exceeded', { act: 'relabel volume', object: request.path, why: `not finished after ${deadlineMs / 1000} s; what was done stays, and the next try goes on from there` });
    throw error;
  } finally {
    void worker.terminate(); // not waited for: its last system call may never return
  }
}
