import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from '../../../base/errors.ts';
import type { WatchPullsRequest, WatchPullsResponse } from '../../../gen/admin.ts';
import type { AdminCall } from '../rpc.ts';

/** More often tells people nothing; more seldom is better asked anew. */
const interval = { leastMs: 100, mostMs: 60_000 } as const;

export async function* watchPulls({ image, intervalMs }: WatchPullsRequest, { engine, ctx }: AdminCall): AsyncGenerator<WatchPullsResponse> {
  if (intervalMs !== 0 && (intervalMs < interval.leastMs || intervalMs > interval.mostMs)) {
    const why = `${intervalMs} is neither 0 nor ${interval.leastMs} to ${interval.mostMs}`;
    throw failure('invalid-argument', { act: 'watch pulls', object: 'interval_ms', why });
  }
  for (;;) {
    const pulls = await engine.images.pulls();
    yield { pulls: image === '' ? pulls : pulls.filter((pull) => pull.image === image) };
    if (intervalMs === 0) return;
    await sleep(intervalMs, undefined, { signal: ctx.signal });
  }
}
