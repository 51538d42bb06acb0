import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKind } from '../../base/errors.ts';
import { overlayOptions, readonlyTreeOptions } from './overlay.ts';

test('an SELinux label is quoted, for it has commas', () => {
  const options = overlayOptions({ writableDir: '/w', mountpoint: '/m', layers: ['/l'], selinuxLabel: 'u:object_r:t:s0:c1,c2' });

  assert.match(options, /,index=off,context="u:object_r:t:s0:c1,c2"$/);
  assert.equal(readonlyTreeOptions({ directory: '/t', layers: ['/l'], selinuxLabel: 'u:object_r:t:s0:c1,c2' }), 'lowerdir=/l:/t/empty,context="u:object_r:t:s0:c1,c2"');
});

test('layers stand topmost first, separators in paths are escaped', () => {
  const options = overlayOptions({ writableDir: '/r/c,1', mountpoint: '/m', layers: ['/l/2', '/l/a:b'] });

  assert.equal(options, 'lowerdir=/l/2:/l/a\\:b,upperdir=/r/c\\,1/upper,workdir=/r/c\\,1/work,index=off');
});

test('an image without layers has an empty one', () => {
  assert.match(overlayOptions({ writableDir: '/r/c', mountpoint: '/m', layers: [] }), /^lowerdir=\/r\/c\/empty,/);
});

test('more layers than fit into the kernel\'s page are refused with the remedy', () => {
  const layers = Array.from({ length: 400 }, (_, n) => `/var/lib/gantry/layers/${n}`);

  assert.throws(() => overlayOptions({ writableDir: '/r/c', mountpoint: '/m', layers }), (error) => isKind(error, 'failed-precondition') && /400 layers need \d+ bytes of mount options, the kernel takes 4095: choose a shorter --root/.test(String(error)));
});
