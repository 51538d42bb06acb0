import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GantryError } from '../../base/errors.ts';
import { ContainerState } from '../../gen/cri.ts';
import type { Container, Image, PodSandbox } from '../../gen/cri.ts';
import { findOne } from './find.ts';
import { containerEntries, imageEntry, podEntry } from './inventory.ts';

const id = (start: string) => start.padEnd(64, '0');
const pod = (start: string, namespace: string, name: string, createdAt = 1n) =>
  podEntry({ id: id(start), metadata: { name, namespace, uid: 'u', attempt: 0 }, state: 0, createdAt, labels: {}, annotations: {}, runtimeHandler: '' } satisfies PodSandbox);
const container = (start: string, podId: string, name: string, more: Partial<Container> = {}): Container => ({
  id: id(start), podSandboxId: id(podId), metadata: { name, attempt: 0 }, image: undefined, imageRef: '', state: ContainerState.CONTAINER_RUNNING,
  createdAt: 1n, labels: {}, annotations: {}, imageId: '', ...more,
});
const image = (start: string, ...repoTags: string[]) =>
  imageEntry({ id: `sha256:${id(start)}`, repoTags, repoDigests: [], size: 1n, uid: undefined, username: '', spec: undefined, pinned: false } satisfies Image);

const pods = [pod('a1', 'default', 'web'), pod('a2', 'shop', 'web'), pod('b1', 'shop', 'db')];
const containers = containerEntries(
  [container('c1', 'a1', 'server'), container('c2', 'a2', 'server'), container('d1', 'b1', 'db'), container('d2', 'b1', 'init', { state: ContainerState.CONTAINER_EXITED })],
  pods,
);
const find = (word: string) => findOne(word, containers, 'find').id.slice(0, 2);

test('a container answers to its id, its beginning, and every name that is its alone', () => {
  assert.equal(find(id('c1')), 'c1');
  assert.equal(find('c1'), 'c1');
  assert.equal(find('default/web/server'), 'c1');
  assert.equal(find('db/init'), 'd2');
});

test('a name that several have is refused with the candidates', () => {
  assert.throws(() => find('server'), (error: GantryError) => {
    assert.equal(error.kind, 'invalid-argument');
    assert.match(error.message, /^find server: this may be container default\/web\/server \(c100000000000\), container shop\/web\/server \(c200000000000\): say which/);
    return true;
  });
  assert.throws(() => find('web/server'), /this may be/);
  assert.throws(() => find('c'), /this may be/);
});

test("a pod's name means its only running container, unless a container is called so", () => {
  const lonely = containerEntries([container('e1', 'b1', 'main'), container('e2', 'b1', 'prep', { state: ContainerState.CONTAINER_EXITED })], pods);

  assert.equal(findOne('shop/db', lonely, 'find').id, id('e1'));
  assert.equal(find('db'), 'd1');
});

test('a name goes before the beginning of an id', () => {
  const named = containerEntries([container('f1', 'b1', 'c1'), container('c1', 'b1', 'x')], pods);

  assert.equal(findOne('c1', named, 'find').id, id('f1'));
});

test('of several attempts a name means the newest', () => {
  const attempts = containerEntries([container('11', 'b1', 'db', { createdAt: 5n }), container('22', 'b1', 'db', { createdAt: 9n }), container('33', 'b1', 'db', { createdAt: 7n })], pods);

  assert.equal(findOne('db', attempts, 'find').id, id('22'));
});

test('an image answers to its reference, short where Docker Hub is meant, and to its id with or without algorithm', () => {
  const images = [image('aa', 'docker.io/library/busybox:latest'), image('bb', 'localhost:5000/demo/busybox:1')];

  for (const word of ['busybox', 'busybox:latest', 'docker.io/library/busybox', 'sha256:aa', 'aa']) assert.equal(findOne(word, images, 'find'), images[0], word);
  assert.equal(findOne('localhost:5000/demo/busybox:1', images, 'find'), images[1]);
  assert.throws(() => findOne('demo/busybox', images, 'remove'), /^GantryError: remove demo\/busybox: nothing on this node has this name or id$/);
});

test('a pod and a container of the same name are told apart', () => {
  const both = [pods[2]!, ...containers.map((one) => ({ ...one, aliases: [] }))];

  assert.throws(() => findOne('db', both, 'inspect'), /this may be pod shop\/db \(.*\), container shop\/db\/db/);
  assert.equal(findOne<(typeof both)[number]>('shop/db', both, 'inspect').kind, 'pod');
});
