import { imageNames, itemEvent, lived, takeSnapshot } from '../changes.ts';
import type { DockerEvent } from '../changes.ts';
import type { DockerCall, Endpoint } from '../endpoint.ts';
import { jsonText } from '../json-text.ts';
import { momentIn, nowNs } from '../moments.ts';
import { Filters } from '../query.ts';

const known = ['type', 'event', 'container', 'image', 'label', 'scope', 'daemon', 'network', 'volume', 'plugin', 'service', 'node', 'secret', 'config'];
/** Of things that there are none of here. */
const neverFitting = ['network', 'volume', 'plugin', 'service', 'node', 'secret', 'config'];
const longestTimeoutMs = 2 ** 31 - 1;

/** What happens from now on; with `since` first what is known of what there still is, and with `until` no longer than that. */
export const events: Endpoint = {
  route: 'GET /events',
  async answer(call) {
    const filters = new Filters(call.query, known);
    const [since, until] = [momentIn(call.query, 'since'), momentIn(call.query, 'until')];
    const live = until !== undefined && until <= nowNs() ? undefined : await call.changes.watch(signalUntil(call.signal, until));
    const past = since === undefined ? [] : (await pastEvents(call)).filter(({ at }) => at >= since && at <= (until ?? nowNs()));
    return { kind: 'stream', type: 'application/json', pieces: told(past, live, filters) };
  },
};

function signalUntil(signal: AbortSignal, until: bigint | undefined): AbortSignal {
  if (until === undefined) return signal;
  return AbortSignal.any([signal, AbortSignal.timeout(Math.min(Number((until - nowNs()) / 1_000_000n), longestTimeoutMs))]);
}

async function* told(past: readonly DockerEvent[], live: AsyncIterable<DockerEvent> | undefined, filters: Filters): AsyncGenerator<string> {
  const before = new Set(past.map(keyOf));
  for (const event of past) if (fits(event, filters)) yield eventText(event);
  if (live === undefined) return;
  for await (const event of live) if (!before.has(keyOf(event)) && fits(event, filters)) yield eventText(event);
}

const keyOf = ({ type, action, id, attributes }: DockerEvent): string => [type, action, id, attributes['name']].join(' ');

/** Nothing is kept of what happened: it is told from the things that are left of it. */
async function pastEvents({ engine }: DockerCall): Promise<DockerEvent[]> {
  const { items, images } = await takeSnapshot(engine);
  const changes = [...items.values()].flatMap((item) => lived(item).map((action) => ({ item, action })));
  const found = await Promise.all(changes.map((change) => itemEvent(engine, change, imageNames(images.values()))));
  return found.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

function fits({ type, action, id, from, attributes }: DockerEvent, filters: Filters): boolean {
  const image = type === 'image' ? [id, attributes['name']] : [from];
  return filters.any('type', (wanted) => wanted === type)
    && filters.any('event', (wanted) => wanted === action)
    && filters.any('scope', (wanted) => wanted === 'local')
    && filters.any('container', (wanted) => type === 'container' && (id.startsWith(wanted) || attributes['name'] === wanted.replace(/^\//, '')))
    && filters.any('image', (wanted) => image.some((name) => name === wanted || name?.split(':')[0] === wanted))
    && filters.labels(attributes)
    && filters.any('daemon', () => true)
    && neverFitting.every((name) => !filters.has(name));
}

function eventText({ type, action, id, from, attributes, at }: DockerEvent): string {
  const older = type === 'container' ? { status: action, id, from } : { status: action, id };
  return `${jsonText({ ...older, Type: type, Action: action, Actor: { ID: id, Attributes: attributes }, scope: 'local', time: at / 1_000_000_000n, timeNano: at })}\n`;
}
