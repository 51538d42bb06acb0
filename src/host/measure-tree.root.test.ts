import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { libc, MNT_DETACH, MS_BIND } from './libc.ts';
import { measureTrees } from './measure-tree.ts';

test('nothing that is mounted below is entered, be it of the same filesystem', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-measure-'));
  const [layer, outside] = [join(folder, 'layer'), join(folder, 'outside')];
  for (const path of [join(layer, 'bound'), join(layer, 'tmpfs'), outside]) mkdirSync(path, { recursive: true });
  writeFileSync(join(outside, 'big'), Buffer.alloc(1_000_000, 1));
  const mounts = [join(layer, 'bound'), join(layer, 'tmpfs')];
  libc.mount(outside, mounts[0]!, '', MS_BIND, null);
  libc.mount('tmpfs', mounts[1]!, 'tmpfs', 0, 'size=1m');
  writeFileSync(join(mounts[1]!, 'file'), 'x');
  t.after(() => {
    for (const path of mounts) libc.umount2(path, MNT_DETACH);
    rmSync(folder, { recursive: true });
  });

  const measured = await measureTrees([layer], { bounds: { entriesPerSecond: 1e9, maxEntries: 1e9, deadlineMs: 60_000 }, signal: new AbortController().signal });

  assert.equal(measured?.inodes, 1n, 'the mountpoint of the same filesystem itself');
  assert.ok(measured.bytes < 100_000n);
});
