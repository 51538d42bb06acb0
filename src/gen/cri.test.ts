import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { Container, ContainerState, ImageServiceService, KeyValue, ListContainersResponse, PodSandboxConfig, RuntimeServiceService } from './cri.ts';

const delimited = (field: number): number => (field << 3) | 2;

test('a long list of containers comes back as it was', () => {
  const containers = Array.from({ length: 500 }, (_, i): Container => ({
    id: i.toString(16).padStart(64, '0'), podSandboxId: 'p'.repeat(64), metadata: { name: `container-${i}`, attempt: i }, image: undefined,
    imageRef: '', state: ContainerState.CONTAINER_RUNNING, createdAt: 1_700_000_000_000_000_000n + BigInt(i), imageId: 'sha256:ü',
    labels: { 'io.kubernetes.container.name': `container-${i}`, 'a/b': 'long '.repeat(50) }, annotations: {},
  }));

  const read = ListContainersResponse.decode(ListContainersResponse.encode({ containers }).finish());

  assert.deepEqual(read.containers, containers);
});

test('an unknown field of a newer kubelet is skipped', () => {
  const bytes = new BinaryWriter().uint32(delimited(999)).string('from the future').uint32(delimited(2)).string('web').finish();

  assert.equal(PodSandboxConfig.decode(bytes).hostname, 'web');
});

test('an environment value that an older kubelet sends as a string is read as its bytes', () => {
  const bytes = new BinaryWriter().uint32(delimited(1)).string('GREETING').uint32(delimited(2)).string('grüezi').finish();

  assert.deepEqual(KeyValue.decode(bytes), { key: 'GREETING', value: Buffer.from('grüezi') });
});

test('there are 37 runtime and 6 image calls', () => {
  assert.equal(Object.keys(RuntimeServiceService).length, 37);
  assert.equal(Object.keys(ImageServiceService).length, 6);
});
