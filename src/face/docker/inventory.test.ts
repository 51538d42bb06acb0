import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findItem, imageOf, inventory, labelsOf } from './inventory.ts';
import { doneId, fakeNode, imageId, mainId, podId } from './node.fake.ts';

test('pods and containers have the names that dockershim gave them, the newest first', async () => {
  const items = await inventory(fakeNode().engine);

  assert.deepEqual(items.map(({ name, state }) => [name, state]), [
    ['k8s_done_web_shop_uid-1_1', 'exited'],
    ['k8s_main_web_shop_uid-1_1', 'running'],
    ['k8s_POD_web_shop_uid-1_2', 'running'],
  ]);
});

test('a container whose pod is gone is named by its labels', async () => {
  const node = fakeNode();
  node.pods = [];

  const [item] = await inventory(node.engine);

  assert.equal(item?.name, 'k8s_done_web_shop_uid-1_1');
});

test('labels are those of Kubernetes, with annotations among them', async () => {
  const items = await inventory(fakeNode().engine);

  assert.deepEqual(labelsOf(findItem(items, mainId), '/log'), {
    'io.kubernetes.pod.name': 'web', 'io.kubernetes.pod.namespace': 'shop', 'io.kubernetes.pod.uid': 'uid-1', 'io.kubernetes.container.name': 'main', 'annotation.io.kubernetes.container.hash': 'h',
    'io.kubernetes.docker.type': 'container', 'io.kubernetes.sandbox.id': podId, 'io.kubernetes.container.logpath': '/log',
  });
  assert.deepEqual(labelsOf(findItem(items, podId)), {
    'io.kubernetes.pod.name': 'web', 'io.kubernetes.pod.namespace': 'shop', 'io.kubernetes.pod.uid': 'uid-1', 'app': 'web', 'annotation.note': 'x',
    'io.kubernetes.docker.type': 'podsandbox', 'io.kubernetes.container.name': 'POD',
  });
});

test('an image that is asked for by its id is shown by its name', async () => {
  const item = findItem(await inventory(fakeNode().engine), mainId);

  assert.equal(imageOf(item, (id) => (id === imageId ? 'web:1' : undefined)), 'web:1');
  assert.equal(imageOf(item, () => undefined), imageId);
});

test('a word means an id, a name or the beginning of an id', async () => {
  const items = await inventory(fakeNode().engine);

  assert.equal(findItem(items, '/k8s_main_web_shop_uid-1_1').id, mainId);
  assert.equal(findItem(items, 'bbb').id, mainId);
  assert.equal(findItem(items, 'bc').id, doneId);
  assert.throws(() => findItem(items, 'b'), { kind: 'invalid-argument', message: 'find container b: it is the beginning of 2 ids' });
  assert.throws(() => findItem(items, 'web'), { kind: 'not-found', message: 'No such container: web' });
});
