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
  /** Waits until a change was told after which the directory holds exactly this. */
  told(content: Readonly<Record<string, string>> | 'absent'): Promise<void>;
}

/** `pollMs` of an hour: only events can tell. */
async function watched(t: TestContext, pollMs = 3_600_000): Promise<Watched> {
  const node = await fakeNode(t);
  let changes = 0;
  let last: unknown = {};
  const onChange = async (): Promise<void> => {
    last = await contentOf(node.confDir);
    changes += 1;
  };
  const watcher = await watchConf({ directory: node.confDir, onChange, log: silentLogger, pollMs });
  t.after(() => watcher.close());
  return {
    ...node,
    changes: () => changes,
    told: (content) => eventually(() => assert.deepEqual(last, content)),
  };
}

async function contentOf(directory: string): Promise<Record<string, string> | 'absent'> {
  try {
    return Object.fromEntries(await Promise.all((await fs.readdir(directory)).map(async (name) => [name, await fs.readFile(path.join(directory, name), 'utf8')])));
  } catch {
    return 'absent';
  }
}

async function eventually(holds: () => void): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(10)) {
    try {
      return holds();
    } catch {
      // not yet
    }
  }
  holds();
}

test('a new, a changed and a removed file are each noticed', async (t) => {
  const node = await watched(t);

  await node.conf('10.conflist', '{}');
  await node.told({ '10.conflist': '{}' });
  await node.conf('10.conflist', '{"x":1}');
  await node.told({ '10.conflist': '{"x":1}' });
  await fs.rm(path.join(node.confDir, '10.conflist'));
  await node.told({});
});

test('a directory that is removed and made again is still watched, by events alone', async (t) => {
  const node = await watched(t);

  for (const round of ['1', '2', '3']) {
    await fs.rm(node.confDir, { recursive: true });
    await node.told('absent');
    await node.conf('10.conflist', round);
    await node.told({ '10.conflist': round });
    await node.conf('20.conflist', round);
    await node.told({ '10.conflist': round, '20.conflist': round });
  }
});

test('a directory that is replaced in one breath is still watched', async (t) => {
  const node = await watched(t);

  await fs.rm(node.confDir, { recursive: true });
  await node.conf('10.conflist', '{}');
  await node.told({ '10.conflist': '{}' });
  await node.conf('20.conflist', '{}');
  await node.told({ '10.conflist': '{}', '20.conflist': '{}' });
});

test('the parent may go and come too', async (t) => {
  const node = await watched(t);

  await fs.rm(path.dirname(node.confDir), { recursive: true });
  await node.told('absent');
  await node.conf('10.conflist', '{}');
  await node.told({ '10.conflist': '{}' });
  await node.conf('10.conflist', '{"x":1}');
  await node.told({ '10.conflist': '{"x":1}' });
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

  await eventually(() => assert.equal(changes, 1));
});

test('a storm of events is a handful of changes, and touching nothing is none', async (t) => {
  const node = await watched(t, 20);
  await sleep(200);
  assert.equal(node.changes(), 0);

  const began = performance.now();
  for (let n = 0; n < 300; n += 1) await node.conf('10.conflist', String(n));
  await node.told({ '10.conflist': '299' });

  const most = (performance.now() - began) / 50 + 1; // hints are gathered for 50 ms before each
  assert.ok(node.changes() <= most, `${node.changes()} reloads for 300 writes, at most ${most} are possible`);
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
