import type { Logger } from '../../base/log.ts';
import type { PullProgress } from './pull-progress.ts';

/** A pull that takes longer says at this interval how far it is. */
const everyMs = 10_000;

/** Runs a pull with lines in the log: at its start, while it is slow, and at its end with what it took. */
export async function logPull<T>(log: Logger, progress: PullProgress, work: () => Promise<T>, intervalMs = everyMs): Promise<T> {
  const { image } = progress;
  const began = performance.now();
  let bytesBefore = 0;
  const report = (): void => {
    const figures = progress.figures();
    log.info('pull goes on', { image, ...figures, bytesPerSecond: Math.round(((figures.bytes - bytesBefore) * 1000) / intervalMs) });
    bytesBefore = figures.bytes;
  };
  log.info('pull begins', { image });
  const timer = setInterval(report, intervalMs).unref();
  let outcome = 'pull failed';
  try {
    const result = await work();
    outcome = 'pull is done';
    return result;
  } finally {
    clearInterval(timer);
    const seconds = (performance.now() - began) / 1000;
    const figures = progress.figures();
    log.info(outcome, { image, ...figures, seconds: Math.round(seconds * 100) / 100, bytesPerSecond: Math.round(figures.bytes / seconds) });
  }
}
