import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDriver, snapshotterBy } from './choose-snapshotter.ts';
import type { Snapshotters } from './choose-snapshotter.ts';
import { CopySnapshotter } from './copy.ts';
import { overlaySnapshotter } from './overlay.ts';

const copy = new CopySnapshotter();
const setting = 'runtime.handlers.odd.snapshotter';

/** Those of a node that copies, where overlayfs has that shortcoming. */
function node(shortcoming: string | undefined): Snapshotters {
  return { inUse: copy, fallback: undefined, copy, overlayShortcoming: () => Promise.resolve(shortcoming) };
}

test('a driver that is named makes containers whatever the node has, which makes the others', () => {
  assert.equal(snapshotterBy(undefined, node(undefined)), copy);
  assert.equal(snapshotterBy('overlay', node(undefined)), overlaySnapshotter);
  assert.equal(snapshotterBy('copy', { inUse: overlaySnapshotter, copy }), copy);
});

test('overlay is refused where it cannot be used, by the setting that asks for it', async () => {
  for (const fine of [undefined, 'copy'] as const) await checkDriver(fine, setting, node('EINVAL'));
  await checkDriver('overlay', setting, node(undefined));

  await assert.rejects(checkDriver('overlay', setting, node('EINVAL')), { kind: 'failed-precondition', message: 'use runtime.handlers.odd.snapshotter = "overlay": EINVAL; take "node" or "copy"' });
});
