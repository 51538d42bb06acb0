import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthConfig } from '../../gen/cri.ts';
import { parseReference } from '../../part/registry/reference.ts';
import { toCriImage } from './cri-image.ts';
import { layersOf } from './layer-sizes.ts';
import { authHeader } from './pull-image.ts';

const image = { Id: 'sha256:i', RepoTags: ['busybox:1', '<none>:<none>'], RepoDigests: [`busybox@sha256:${'a'.repeat(64)}`], Size: 7 };

test('an image has its names whole, and its user as a number only where it is one', () => {
  const shown = toCriImage(image, { user: '1000:50', pinned: [] });

  assert.deepEqual([shown.id, shown.repoTags, shown.repoDigests, shown.size, shown.uid, shown.pinned], ['sha256:i', ['docker.io/library/busybox:1'], [`docker.io/library/busybox@sha256:${'a'.repeat(64)}`], 7n, { value: 1000n }, false]);
  assert.deepEqual(['app', '4294967296'].map((user) => toCriImage(image, { user, pinned: [] })).map(({ uid, username }) => [uid, username]), [[undefined, 'app'], [undefined, '4294967296']]);
});

test('pinned are what the configuration names, and the image of infra containers', () => {
  assert.equal(toCriImage(image, { user: '', pinned: ['busybox:1'] }).pinned, true);
  assert.equal(toCriImage({ ...image, RepoTags: ['gantry.internal/pause:00ff'] }, { user: '', pinned: [] }).pinned, true);
});

test('credentials go to the Engine as it wants them, and to no other registry than they are for', () => {
  const auth = (fields: Partial<AuthConfig>): unknown => JSON.parse(Buffer.from(authHeader(parseReference('r.example/app:1'), { ...AuthConfig.decode(new Uint8Array()), ...fields }), 'base64url').toString());

  assert.deepEqual(auth({ username: 'u', password: 'p' }), { username: 'u', password: 'p', serveraddress: 'r.example' });
  assert.deepEqual(auth({ auth: Buffer.from('u:p').toString('base64') }), { username: 'u', password: 'p', serveraddress: 'r.example' });
  assert.deepEqual(auth({ identityToken: 't' }), { identitytoken: 't', serveraddress: 'r.example' });
  assert.deepEqual(auth({ username: 'u', password: 'p', serverAddress: 'https://other.example' }), {});
});

test('two images share the layers below which all is the same', () => {
  const base = [{ Created: 1, CreatedBy: 'ADD base', Size: 10 }];
  const [one, other] = [layersOf([{ Created: 2, CreatedBy: 'RUN a', Size: 5 }, ...base]), layersOf([{ Created: 2, CreatedBy: 'RUN b', Size: 5 }, { Created: 2, CreatedBy: 'ENV', Size: 0 }, ...base])];

  assert.deepEqual(one.map(({ bytes }) => bytes), [10n, 5n]);
  assert.deepEqual(other.map(({ bytes }) => bytes), [10n, 5n]);
  assert.equal(one[0]?.key, other[0]?.key);
  assert.notEqual(one[1]?.key, other[1]?.key);
});
