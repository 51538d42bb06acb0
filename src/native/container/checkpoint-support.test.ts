import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuntimeProbe } from '../../part/oci/runtime-probe.ts';
import type { CriuState } from '../../part/checkpoint/criu.ts';
import { checkImage, imageOfCheckpoint, refuseImage } from './checkpoint-image.ts';
import { checkCheckpointSupport } from './checkpoint-support.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { OpenedCheckpoint } from './open-checkpoint.ts';
import type { PodPlace } from './pod-place.ts';
import { failure } from '../../base/errors.ts';

const able: RuntimeProbe = { version: 'runc version 1.1.5', idmappedMounts: false, recursiveReadOnly: false, checkpoint: true };

interface Node {
  readonly sandbox?: object;
  readonly driver?: 'overlay' | 'copy';
  readonly probe?: RuntimeProbe | { readonly error: string };
  readonly criu?: CriuState;
  readonly users?: object;
}

function check({ sandbox, driver = 'overlay', probe = able, criu = { version: '4.1' }, users }: Node): Promise<void> {
  const deps = {
    handlers: { of: (name: string) => ({ name, sandbox }) },
    snapshotters: { inUse: { driver } },
    probe: async () => probe,
    criu: { state: async () => criu },
  } as unknown as ContainerDeps;
  return checkCheckpointSupport(deps, { handler: 'h', idMappings: users } as unknown as PodPlace, { act: 'checkpoint container', object: 'web' });
}

test('whatever is missing for a checkpoint is named', async () => {
  await check({});

  for (const [node, why] of [
    [{ sandbox: {} }, 'runtime handler h is gVisor, whose containers CRIU cannot capture'],
    [{ users: {} }, 'its pod has a user namespace, which the OCI runtimes cannot restore yet'],
    [{ driver: 'copy' }, 'the roots of containers are copies of images on this node (snapshotter), of which nobody can tell what was changed'],
    [{ probe: { error: 'no program /usr/bin/h' } }, 'no program /usr/bin/h'],
    [{ probe: { ...able, version: 'crun version 1.8.1', checkpoint: false } }, 'runtime handler h (crun version 1.8.1) is built without CRIU: use runc, or a crun whose --version says +CRIU'],
    [{ criu: { shortcoming: 'there is no program criu: install the package criu' } }, 'there is no program criu: install the package criu'],
  ] as const) {
    await assert.rejects(check(node), { kind: 'failed-precondition', message: `checkpoint container web: ${why}` });
  }
});

test('a checkpoint that comes as an image is restored where the node says so, and an archive everywhere', () => {
  const deps = (restoresImages: boolean): ContainerDeps => ({ restoresImages: () => restoresImages } as unknown as ContainerDeps);

  refuseImage(deps(true), { layer: '/l' });
  refuseImage(deps(false), { archive: '/a.tar' });
  assert.throws(() => refuseImage(deps(false), { layer: '/l' }), { kind: 'failed-precondition', message: 'restore container: its image is a checkpoint, and this node restores none of images: set checkpoint.restore_images = true in its configuration, or name an archive file' });
});

test('the image of a checkpoint is the one of its id, else of its name', () => {
  const here = new Map([['sha256:aa', { id: 'sha256:aa' }], ['web:1', { id: 'sha256:bb' }]]);
  const deps = { images: { hold: (name: string) => here.get(name) ?? (() => { throw failure('not-found', { act: 'find image', object: name }); })() } } as unknown as ContainerDeps;
  const opened = (...images: string[]): OpenedCheckpoint => ({ images } as unknown as OpenedCheckpoint);

  assert.equal(imageOfCheckpoint(deps, 'c', opened('sha256:aa', 'web:1')).id, 'sha256:aa');
  assert.equal(imageOfCheckpoint(deps, 'c', opened('sha256:cc', 'web:1')).id, 'sha256:bb');
  assert.throws(() => imageOfCheckpoint(deps, 'c', opened('sha256:cc', 'web:2')), { kind: 'not-found', message: 'find image of checkpoint web:2: it is not on this node: pull it first' });
});

test('a pod is restored of the images that its request names, and of no others', () => {
  const image = { id: 'sha256:aa' } as never;

  checkImage(image, { images: ['sha256:aa'] } as unknown as OpenedCheckpoint);
  checkImage(image, { images: ['aa'] } as unknown as OpenedCheckpoint);
  assert.throws(() => checkImage(image, { images: ['sha256:bb'] } as unknown as OpenedCheckpoint), { kind: 'failed-precondition', message: 'restore container: it was captured of image sha256:bb, and the request names sha256:aa' });
});
