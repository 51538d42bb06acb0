import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Container, ListContainersResponse, ListPodSandboxResponse, PodSandbox } from '../../gen/cri.ts';
import { encodeList, listEncoders } from './encode-list.ts';
import { only } from './engine.fake.ts';

const containers = [
  only(Container),
  only(Container, { id: 'a'.repeat(64), state: 1, createdAt: 2n ** 60n, labels: { app: 'web' } }),
  only(Container, { id: 'b', annotations: { long: 'x'.repeat(20_000) } }),
];

test('a list encoded by items has the very bytes of the generated encoder', () => {
  assert.deepEqual(encodeList(containers, Container), Buffer.from(ListContainersResponse.encode({ containers }).finish()));
  assert.equal(encodeList([], Container).length, 0);
  const items = [only(PodSandbox, { id: 'p', runtimeHandler: 'crun' })];
  assert.deepEqual(listEncoders['ListPodSandbox']!({ items } as never), Buffer.from(ListPodSandboxResponse.encode({ items }).finish()));
});

test('an object is encoded once, another one with other content anew', () => {
  let count = 0;
  const counting = { encode: (message: Container) => { count += 1; return Container.encode(message); } };
  const item = only(Container, { id: 'once' });

  encodeList([item], counting);
  encodeList([item, { ...item, id: 'other' }], counting);

  assert.equal(count, 2);
});
