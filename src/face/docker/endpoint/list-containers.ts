import { matchesStars } from '../../../base/star-pattern.ts';
import { failure } from '../../../base/errors.ts';
import { imageNames } from '../changes.ts';
import { containerSummary } from '../container-summary.ts';
import type { ItemFacts } from '../container-summary.ts';
import { factsOf } from '../item-facts.ts';
import { json } from '../endpoint.ts';
import type { DockerCall, Endpoint } from '../endpoint.ts';
import { findItem, inventory, labelsOf } from '../inventory.ts';
import type { Item } from '../inventory.ts';
import { nowNs } from '../moments.ts';
import { networkName, isOnHost } from '../network-document.ts';
import { Filters, isOn } from '../query.ts';
import { sizesOf } from '../sizes.ts';

const known = ['id', 'name', 'label', 'status', 'exited', 'ancestor', 'before', 'since', 'volume', 'network', 'health', 'is-task', 'publish', 'expose', 'isolation'];

/** Containers that run, the newest first; all with `all`, `limit`, or a filter by state. */
export const listContainers: Endpoint = {
  route: 'GET /containers/json',
  async answer(call) {
    const filters = new Filters(call.query, known);
    const limit = limitOf(call.query);
    const all = isOn(call.query, 'all') || limit > 0 || filters.has('status') || filters.has('exited');
    const [items, images] = await Promise.all([inventory(call.engine), call.engine.images.list(undefined)]);
    await call.commands.ofAll(items.filter(({ kind }) => kind === 'container').map(({ id }) => id));

    const asked = await byItem(items, filters, call);
    const facts = await Promise.all(asked.filter(({ state }) => all || state === 'running').map((item) => factsOf(call.engine, item)));
    const wanted = facts.filter((one) => byFacts(one, filters)).slice(0, limit > 0 ? limit : undefined);
    const imageName = imageNames(images);
    const sizes = isOn(call.query, 'size') ? await sizesOf(call.engine) : undefined;
    const now = nowNs();
    return json(await Promise.all(wanted.map(async (one) => containerSummary(one, { imageName, now, size: sizes?.(one.item), command: await commandOf(call, one.item) }))));
  },
};

function limitOf(query: URLSearchParams): number {
  const text = query.get('limit') ?? '';
  if (!/^(-?\d{1,9})?$/.test(text)) throw failure('invalid-argument', { act: 'read parameter', object: 'limit', why: `${JSON.stringify(text)} is no number` });
  return Number(text);
}

async function commandOf(call: DockerCall, item: Item): Promise<readonly string[]> {
  return item.kind === 'pod' ? [] : await call.commands.of(item.id).catch(() => []);
}

/** By what the lists say already. */
async function byItem(items: readonly Item[], filters: Filters, { engine }: DockerCall): Promise<Item[]> {
  const ancestors = await Promise.all(filters.of('ancestor').map(async (name) => (await engine.images.status({ image: name, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' }, false))?.image.id));
  const [before, since] = [filters.of('before'), filters.of('since')].map((words) => words.map((word) => findItem(items, word).createdAt));
  return items.filter((item) =>
    filters.any('id', (id) => item.id.startsWith(id))
    && filters.any('name', (name) => fitsName(name, item.name))
    && filters.any('status', (state) => item.state === state)
    && filters.any('health', (health) => health === 'none')
    && filters.any('isolation', (isolation) => isolation === 'default')
    && filters.any('is-task', (task) => task !== 'true' && task !== '1')
    && filters.any('publish', () => false)
    && filters.any('expose', () => false)
    && (!filters.has('ancestor') || (item.kind === 'container' && ancestors.includes(item.container.imageId)))
    && before!.every((moment) => item.createdAt < moment)
    && since!.every((moment) => item.createdAt > moment));
}

/** By what only statuses say: the log path is a label. */
function byFacts(facts: ItemFacts, filters: Filters): boolean {
  const { item, status, pod } = facts;
  return filters.labels(labelsOf(item, status?.logPath))
    && filters.any('exited', (code) => item.state === 'exited' && String(status?.exitCode ?? 0) === code)
    && filters.any('volume', (path) => (status?.mounts ?? []).some(({ hostPath, containerPath }) => hostPath === path || containerPath === path))
    && filters.any('network', (name) => name === (isOnHost(pod) ? 'host' : networkName));
}

/** A part of the name. Of regular expressions, which Docker takes here, only `^`, `$` and `.*` mean something. */
export function fitsName(wanted: string, name: string): boolean {
  const inner = wanted.replace(/^\^?\/?/, '').replace(/\$$/, '').replaceAll('.*', '*');
  return matchesStars(`${wanted.startsWith('^') ? '' : '*'}${inner}${wanted.endsWith('$') ? '' : '*'}`, name);
}
