/** Events: what is told from two looks at the node, and the stream of them. */
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { Container } from '../../gen/cri.ts';
import { imageEvents, itemChanges, takeSnapshot } from './changes.ts';
import { doneId, fakeNode, imageId, mainId, messageWith, noon, podId, second, servedNode } from './node.fake.ts';
import type { FakeNode } from './node.fake.ts';

const newId = 'f'.repeat(64);

function withNew(node: FakeNode, state: Container['state']): void {
  node.containers = [...node.containers.filter(({ id }) => id !== newId), { ...node.containers[0]!, id: newId, state, createdAt: noon + 9n * second }];
}

test('of two looks at the node the changes are told', async () => {
  const node = fakeNode();
  const looks: (() => void)[] = [
    () => withNew(node, 0),
    () => withNew(node, 1),
    () => withNew(node, 2),
    () => { node.containers = node.containers.filter(({ id }) => id !== newId); },
    () => withNew(node, 2),
    () => { node.containers = node.containers.filter(({ id }) => id === doneId); },
    () => { node.pods = [{ ...node.pods[0]!, state: 1 }]; },
    () => { node.pods = []; },
  ];
  const told: string[][] = [];
  for (const change of looks) {
    const before = await takeSnapshot(node.engine);
    change();
    told.push(itemChanges(before.items, (await takeSnapshot(node.engine)).items).map(({ item, action }) => `${item.id[0]} ${action}`));
  }

  assert.deepEqual(told, [['f create'], ['f start'], ['f die'], ['f destroy'], ['f create', 'f start', 'f die'], ['f destroy', 'b die', 'b destroy'], ['a die'], ['a destroy']]);
});

test('images come, get names, lose them and go', () => {
  const image = fakeNode().images[0]!;
  const only = (...tags: string[]) => new Map([[image.id, { ...image, repoTags: tags }]]);
  const between = (before: Parameters<typeof imageEvents>[0], after: Parameters<typeof imageEvents>[0]) => imageEvents(before, after, 1n).map(({ action, attributes }) => `${action} ${attributes['name']}`);

  assert.deepEqual(between(new Map(), only('a:1')), ['pull a:1']);
  assert.deepEqual(between(only('a:1'), only('a:1', 'b:1')), ['tag b:1']);
  assert.deepEqual(between(only('a:1', 'b:1'), only('b:1')), ['untag a:1']);
  assert.deepEqual(between(only('b:1'), new Map()), ['untag b:1', `delete ${imageId}`]);
  assert.deepEqual(between(only('b:1'), only('b:1')), []);
});

interface Told {
  readonly Type: string;
  readonly Action: string;
  readonly id: string;
  readonly Actor: { readonly Attributes: Record<string, string> };
}

test('a client is told what happens from then on', async (t) => {
  const { node, open } = await servedNode(t);
  const answer = await open('GET /events?filters={"type":["container"]}');
  const lines = createInterface({ input: answer })[Symbol.asyncIterator]();
  const next = async (): Promise<Told> => JSON.parse((await lines.next()).value as string) as Told;

  withNew(node, 0);
  const created = await next();
  withNew(node, 1);
  node.statuses.set(newId, { ...node.statuses.get(mainId)!, startedAt: noon + 10n * second });
  const text = (await lines.next()).value as string;

  assert.deepEqual([created.Type, created.Action, created.id, created.Actor.Attributes['name'], created.Actor.Attributes['io.kubernetes.pod.name']], ['container', 'create', newId, 'k8s_main_web_shop_uid-1_1', 'web']);
  assert.equal((JSON.parse(text) as Told).Action, 'start');
  assert.ok(text.includes(`"timeNano":${noon + 10n * second}`) && text.includes('"time":1769860810,'), text);
  answer.destroy();
});

test('what was is told from what there still is, and in the past it ends', async (t) => {
  const { ask } = await servedNode(t);
  const told = async (query: string): Promise<string[]> => (await ask(`GET /events?${query}`)).text.split('\n').filter((line) => line !== '').map((line) => {
    const { Action, id, Actor } = JSON.parse(line) as Told;
    return `${id[0]} ${Action} ${Actor.Attributes['exitCode'] ?? ''}`.trim();
  });
  const range = 'since=1769860800&until=1769860900';

  assert.deepEqual(await told(range), ['a create', 'a start', 'b create', 'b create', 'b start', 'b start', 'b die 3']);
  const filtered: [object, number][] = [
    [{ event: ['die'] }, 1], [{ container: [doneId.slice(0, 12)] }, 3], [{ container: ['/k8s_main_web_shop_uid-1_1'] }, 2], [{ image: ['docker.io/library/web'] }, 5], [{ label: ['app=web'] }, 2],
    [{ type: ['image'] }, 0], [{ scope: ['local'], daemon: ['x'] }, 7], [{ scope: ['swarm'] }, 0], [{ network: ['n'] }, 0],
  ];
  for (const [filters, count] of filtered) assert.equal((await told(`${range}&filters=${encodeURIComponent(JSON.stringify(filters))}`)).length, count, JSON.stringify(filters));
  assert.deepEqual(await told('since=1769860803&until=1769860803'), ['b start']);
  assert.deepEqual(await told('until=1'), []);
  assert.equal(podId[0], 'a');
});

test('filters that mean nothing here are refused', async (t) => {
  const { ask } = await servedNode(t);

  assert.match(messageWith(400, await ask('GET /events?filters={"colour":["red"]}')), /^read parameter filters: "colour" is not known here/);
});
