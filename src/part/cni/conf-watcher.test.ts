import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { silentLogger } from '../../base/log.ts';
import { watchConf } from './conf-watcher.ts';
import { fakeNode } from './fake-plugins.fake.ts';
import type { FakeNode } from './fake-plugins.fake.ts';

interface Watched extends FakeNode {
  changes(): number;
  /** Waits until there were this many changes. */
  changed(atLeast: number): Promise<void>;
}

/** `pollMs` of an hour: only events can tell. */
async function watched(t: TestContext, pollMs = 3_600_000): Promise<Watched> {
  const node = await fakeNode(t);
  let changes = 0;
  const watcher = await watchConf({ directory: node.confDir, onChange: async () => { changes += 1; }, log: silentLogger, pollMs });
  t.after(() => watcher.close());
  return {
    ...node,
    changes: () => changes,
    async changed(atLeast) {
      for (const end = Date.now() + 10_000; changes < atLeast && Date.now() < end;) await sleep(10);
      assert.ok(changes >= atLeast, `${changes} of ${atLeast} changes seen`);
    },
  };
}

test('a new, a changed and a removed file are each noticed', async (t) => {
  const node = await watched(t);

  await node.conf('10.conflist', '{}');
  await node.changed(1);
  await node.conf('10.conflist', '{"x":1}');
  await node.changed(2);
  await fs.rm(path.join(node.confDir, '10.conflist'));
  await node.changed(3);
});

test('a directory that is removed and made again is still watched, by events alone', async (t) => {
  const node = await watched(t);

  for (let round = 0; round < 3; round += 1) {
    await fs.rm(node.confDir, { recursive: true });
    await node.changed(node.changes() + 1);
    await node.conf('10.conflist', `{"round":${round}}`);
    await node.changed(node.changes() + 1);
    await sleep(100);
    const before = node.changes();
    await node.conf('20.conflist', `{"round":${round}}`);
    await node.changed(before + 1);
  }
});

test('a directory that is replaced in one breath is still watched', async (t) => {
  const node = await watched(t);

  await fs.rm(node.confDir, { recursive: true });
  await node.conf('10.conflist', '{}');
  await node.changed(1);
  await sleep(100);
  const before = node.changes();
  await node.conf('20.conflist', '{}');
  await node.changed(before + 1);
});

test('the parent may go and come too', async (t) => {
  const node = await watched(t);

  await fs.rm(path.dirname(node.confDir), { recursive: true });
  await node.changed(1);
  await sleep(100);
  await node.conf('10.conflist', '{}');
  await node.changed(2);
  await sleep(100);
  await node.conf('10.conflist', '{"x":1}');
  await node.changed(3);
});

test('what no event tells, the slow look finds', async (t) => {
  const node = await fakeNode(t);
  const target = path.join(node.binDir, 'elsewhere');
  await fs.writeFile(target, '{}');
  await fs.symlink(target, path.join(node.confDir, '10.conflist'));
  let changes = 0;
  const watcher = await watchConf({ directory: node.confDir, onChange: async () => { changes += 1; }, log: silentLogger, pollMs: 50 });
  t.after(() => watcher.close());

  await fs.writeFile(target, '{"changed":"behind the link"}');

  for (const end = Date.now() + 10_000; changes === 0 && Date.now() < end;) await sleep(10);
  assert.equal(changes, 1);
});

test('a storm of events is a handful of changes, and touching nothing is none', async (t) => {
  const node = await watched(t, 20);
  await sleep(200);
  assert.equal(node.changes(), 0);

  const began = performance.now();
  for (let n = 0; n < 300; n += 1) await node.conf('10.conflist', String(n));
  await node.changed(1);
  await sleep(300);

  const most = 1 + (performance.now() - began) / 50; // a look comes 50 ms after its hint, however long a slow machine writes
  assert.ok(node.changes() <= most, `${node.changes()} reloads for 300 writes`);
});

test('nothing is told after closing', async (t) => {
  const node = await fakeNode(t);
  let changes = 0;
  const watcher = await watchConf({ directory: node.confDir, onChange: async () => { changes += 1; }, log: silentLogger, pollMs: 20 });

  await node.conf('10.conflist', '{}');
  watcher.close();
  watcher.close();
  await sleep(200);

  assert.equal(changes, 0);
});
