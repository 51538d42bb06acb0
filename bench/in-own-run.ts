import { beginOwnRun } from '../test/support/own-run.ts';
import { progress } from './progress.ts';

/** Runs a benchmark, which undoes what it made through `undo`; at its end, and when it is interrupted, nothing of it is left. */
export async function inOwnRun(benchmark: (undo: AsyncDisposableStack) => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('a benchmark starts pods and unpacks images: run it as root');
  const own = await beginOwnRun();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      progress('interrupted: cleaning up');
      void own.sweep().finally(() => process.exit(130));
    });
  }
  try {
    await using undo = new AsyncDisposableStack();
    await benchmark(undo);
  } finally {
    for (const thing of await own.leftBehind()) progress(`left behind: ${thing}`);
    await own.sweep();
  }
}
