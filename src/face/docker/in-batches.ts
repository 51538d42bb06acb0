import { setImmediate as turn } from 'node:timers/promises';

/** As much as is sent at once. */
const batchBytes = 64 << 10;

/** The same bytes in larger pieces: what is there without waiting goes together. */
export async function* inBatches(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = pieces[Symbol.asyncIterator]();
  let [batch, length]: [Buffer[], number] = [[], 0];
  let waiting: Promise<undefined> | undefined;
  try {
    for (;;) {
      const next = source.next();
      waiting ??= turn(undefined);
      const quick = length === 0 ? await next : await Promise.race([next, waiting]);
      if (quick === undefined) waiting = undefined;
      if (length > 0 && (quick === undefined || length >= batchBytes || quick.done === true)) {
        yield Buffer.concat(batch);
        [batch, length] = [[], 0];
      }
      const { done, value } = quick ?? await next;
      if (done === true) break;
      batch.push(value);
      length += value.length;
    }
  } finally {
    await source.return?.();
  }
}
