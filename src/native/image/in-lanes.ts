/**
 * Works through the items in order, `lanes` at the same time. Resolves when all are done. At the first failure the others are told to stop,
 * and it is thrown when they have.
 */
export async function inLanes<T>(items: readonly T[], how: { lanes: number; signal: AbortSignal }, work: (item: T, signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([how.signal, stop.signal]);
  const queue = [...items];
  const workThroughQueue = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item, signal);
  };
  const lanes = Array.from({ length: Math.min(how.lanes, queue.length) }, workThroughQueue);
  try {
    await Promise.all(lanes);
  } catch (error) {
    stop.abort();
    await Promise.allSettled(lanes);
    throw error;
  }
}
