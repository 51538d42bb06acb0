/** A path worker whose file systems are dead: it opens what it is asked for, a FIFO without a writer, and waits in the kernel. */
import { closeSync, openSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { PathRequest } from './path-worker.ts';

parentPort?.on('message', ({ path }: PathRequest) => {
  closeSync(openSync(path, 'r'));
  parentPort?.postMessage({ found: path }, []);
});
