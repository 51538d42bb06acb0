/** The thread behind PathResolver: synchronous calls that may never come back, which is why they are made here and nowhere else. */
import { mkdirSync, realpathSync, statSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

export interface PathRequest {
  readonly path: string;
  readonly task: 'find' | 'make directory';
}

/** The path without symlinks, or what Node's error said. */
export type PathAnswer = { readonly path: string } | { readonly code: string; readonly message: string };

parentPort?.on('message', ({ path, task }: PathRequest) => parentPort?.postMessage(answer(path, task), []));

function answer(path: string, task: PathRequest['task']): PathAnswer {
  try {
    if (task === 'make directory') mkdirSync(path, { recursive: true, mode: 0o755 });
    const real = realpathSync.native(path);
    // Touched, so that a file system that does not answer is noticed here and not by the OCI runtime.
    statSync(real);
    return { path: real };
  } catch (error) {
    return { code: (error as NodeJS.ErrnoException).code ?? '', message: String(error) };
  }
}
