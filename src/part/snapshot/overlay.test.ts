import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKind } from '../../base/errors.ts';
import { rootOptions, viewOptions } from './overlay.ts';

const root = { writableDir: '/w', mountpoint: '/m', layers: ['/l'] };
const view = { directory: '/t', writableDir: '/c', layers: ['/l'] };

test('an SELinux label is quoted, for it has commas', () => {
  const options = rootOptions({ ...root, selinuxLabel: 'u:object_r:t:s0:c1,c2' });

  assert.match(options, /,index=off,context="u:object_r:t:s0:c1,c2"$/);
  assert.equal(viewOptions({ ...view, selinuxLabel: 'u:object_r:t:s0:c1,c2' }), 'lowerdir=/l:/t/empty,context="u:object_r:t:s0:c1,c2"');
});

test('layers stand topmost first, separators in paths are escaped', () => {
  const options = rootOptions({ ...root, writableDir: '/r/c,1', layers: ['/l/2', '/l/a:b'] });

  assert.equal(options, 'lowerdir=/l/2:/l/a\\:b,upperdir=/r/c\\,1/upper,workdir=/r/c\\,1/work,index=off');
});

test('for a pod with a user namespace the layers are those of its mapped mount', () => {
  const ids = { containerId: 0, hostId: 200_000, length: 65_536 };

  const options = rootOptions({ ...root, layers: ['/l/2', '/l/1'], owners: { maps: { uids: ids, gids: ids }, layersRoot: '/mapped' } });

  assert.match(options, /^lowerdir=\/mapped\/2:\/mapped\/1,/);
});

test('an image without layers has an empty one', () => {
  assert.match(rootOptions({ ...root, layers: [] }), /^lowerdir=\/w\/empty,/);
});

test('more layers than fit into the kernel\'s page are refused with the remedy', () => {
  const layers = Array.from({ length: 400 }, (_, n) => `/var/lib/gantry/layers/${n}`);

  assert.throws(() => rootOptions({ ...root, layers }), (error) => isKind(error, 'failed-precondition') && /400 layers need \d+ bytes of mount options, the kernel takes 4095: choose a shorter --root/.test(String(error)));
});
