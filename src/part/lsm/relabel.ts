import { once } from 'node:events';
import { extname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { failure } from '../../base/errors.ts';
import { abandon } from '../../host/abandoned.ts';
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
  worker.unref(); // a daemon that shuts down does not wait for a file system that does not answer
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
    void endThread(worker, request.path);
  }
}

/** A thread ends at once unless it is within a system call. */
const endPatienceMs = 1000;

/** Not waited for by whoever asked: the last system call of the thread may never return. */
async function endThread(worker: Worker, path: string): Promise<void> {
  const ended = worker.terminate().then(() => true);
  if (!(await Promise.race([ended, sleep(endPatienceMs, false, { ref: false })]))) abandon({ act: 'relabel volume', object: path }, ended);
}
