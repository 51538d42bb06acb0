import { cpus, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { isKind } from '../../../base/errors.ts';
import { json } from '../endpoint.ts';
import type { DockerCall, Endpoint } from '../endpoint.ts';
import type { Item } from '../inventory.ts';
import { factsOf, namedItem } from '../item-facts.ts';
import { jsonText } from '../json-text.ts';
import { nowNs } from '../moments.ts';
import { isOn } from '../query.ts';
import { containerSample, podSample, statsDocument } from '../stats-document.ts';
import type { Sample, StatsContext } from '../stats-document.ts';

const sampleEveryMs = 1000;

/** Once a second until the client or the container goes; with `stream=0` one, which takes a second, and with `one-shot` none to count rates from. */
export const containerStats: Endpoint = {
  route: 'GET /containers/{id}/stats',
  async answer(call) {
    const item = await namedItem(call.engine, call.param('id'));
    const { status } = await factsOf(call.engine, item);
    const limit = status?.resources?.linux?.memoryLimitInBytes ?? 0n;
    const context = { id: item.id, name: item.name, processors: cpus().length, memoryLimit: limit > 0n ? limit : BigInt(totalmem()) };
    if (call.query.get('stream') === null || isOn(call.query, 'stream')) return { kind: 'stream', type: 'application/json', pieces: stream(call, item, context) };

    const first = await sample(call, item);
    if (isOn(call.query, 'one-shot')) return json(statsDocument(first, undefined, context));
    await sleep(sampleEveryMs, undefined, { signal: call.signal });
    return json(statsDocument(await sample(call, item), first, context));
  },
};

async function* stream(call: DockerCall, item: Item, context: StatsContext): AsyncGenerator<string> {
  let before: Sample | undefined;
  while (!call.signal.aborted) {
    const now = await sample(call, item).catch((error: unknown) => {
      if (!isKind(error, 'not-found')) throw error;
    });
    if (now === undefined) return;
    yield `${jsonText(statsDocument(now, before, context))}\n`;
    before = now;
    await sleep(sampleEveryMs, undefined, { signal: call.signal }).catch(() => undefined);
  }
}

async function sample({ engine }: DockerCall, { kind, id }: Item): Promise<Sample> {
  const host = () => ({ at: nowNs(), hostCpuNs: process.hrtime.bigint() * BigInt(cpus().length) });
  return kind === 'pod' ? podSample(await engine.pods.stats(id), host()) : containerSample(await engine.containers.stats(id), host());
}
