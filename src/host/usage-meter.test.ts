import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageMeter } from './usage-meter.ts';
import type { LayerProject, Usage } from './usage-meter.ts';

const sealed: LayerProject = { id: 7, own: { bytes: 4096n, inodes: 4n }, escapable: false };

function emptyFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-usage-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function withFile(folder: string): string {
  writeFileSync(join(folder, 'file'), Buffer.alloc(100_000, 1));
  return folder;
}

test('a layer is measured behind the caller\'s back, all its directories together', async (t) => {
  const folder = withFile(emptyFolder(t));
  mkdirSync(join(folder, 'volumes'));
  writeFileSync(join(folder, 'volumes/data'), 'x');
  mkdirSync(join(folder, 'upper'));
  const layer = { directories: [join(folder, 'upper'), join(folder, 'volumes')] };
  const meter = new UsageMeter({ projects: undefined });

  assert.equal(meter.usage('id', layer), undefined, 'the first answer does not wait');

  const figure = await eventually(() => meter.usage('id', layer));
  assert.deepEqual([figure.inodes, figure.way], [1n, 'measured']);
});

test('a layer that is gone has no figure and holds nothing up', async (t) => {
  const folder = emptyFolder(t);
  const meter = new UsageMeter({ projects: undefined });
  const gone = { directories: [join(folder, 'no-such-folder')] };
  meter.usage('gone', gone);

  await eventually(() => meter.usage('there', { directories: [folder] }));

  assert.equal(meter.usage('gone', gone), undefined);
});

test('a layer that is too large for a walk has at least what was found of it', async (t) => {
  const folder = emptyFolder(t);
  for (let n = 0; n < 5; n++) writeFileSync(join(folder, String(n)), '');
  const meter = new UsageMeter({ projects: undefined, bounds: { entriesPerSecond: 1e9, maxEntries: 3, deadlineMs: 60_000 } });

  const figure = await eventually(() => meter.usage('id', { directories: [folder] }));

  assert.deepEqual([figure.inodes, figure.way], [3n, 'at-least']);
});

test('a container that is forgotten while its layer is walked has no figure of that walk', async (t) => {
  const layer = { directories: [withFile(emptyFolder(t))] };
  const meter = new UsageMeter({ projects: undefined });
  meter.usage('id', layer);

  meter.forget('id');

  await eventually(() => meter.usage('other', layer));
  assert.equal(meter.usage('id', layer), undefined);
});

test('a closed meter walks nothing of what it was asked for', async (t) => {
  const folder = emptyFolder(t);
  const meter = new UsageMeter({ projects: undefined });
  const ids = ['a', 'b', 'c', 'd'];
  for (const id of ids) meter.usage(id, { directories: [folder] });

  meter.close();

  await eventually(() => meter.usage('later', { directories: [folder] }));
  for (const id of ids) assert.equal(meter.usage(id, { directories: [folder] }), undefined);
});

test('what the filesystem counts is told at once, without what was there before the container', () => {
  const asked: number[] = [];
  const projects = {
    count(id: number) {
      asked.push(id);
      return { bytes: 10_096n, inodes: 6n };
    },
  };
  const meter = new UsageMeter({ projects });

  const { at, ...figure } = meter.usage('id', { directories: ['/nowhere'], project: sealed })!;

  assert.deepEqual(figure, { bytes: 6000n, inodes: 2n, way: 'counted' });
  assert.ok(Math.abs(Number(at / 1_000_000n) - Date.now()) < 60_000);
  assert.deepEqual(asked, [7]);
});

test('when the filesystem counts no more, and when this one never did, the layer is walked', async (t) => {
  const layer = { directories: [withFile(emptyFolder(t))], project: sealed };
  const refuses = { count: () => { throw new Error('quotactl_fd: ESRCH'); } };

  for (const projects of [refuses, undefined]) {
    const meter = new UsageMeter({ projects });
    assert.equal((await eventually(() => meter.usage('id', layer))).way, 'measured');
  }
});

test('a container that took its files out of its project is found out by a walk, and walked from then on', async (t) => {
  const folder = emptyFolder(t);
  for (let n = 0; n < 20; n++) writeFileSync(join(folder, String(n)), Buffer.alloc(100_000, 1));
  const meter = new UsageMeter({ projects: { count: () => sealed.own } });
  const layer = { directories: [folder], project: { ...sealed, escapable: true } };

  assert.deepEqual(meter.usage('id', layer)?.way, 'counted', 'believed until it is found out');

  const figure = await eventually(() => {
    const now = meter.usage('id', layer);
    return now?.way === 'counted' ? undefined : now;
  });
  assert.deepEqual([figure.way, figure.inodes], ['measured', 20n]);
});

test('a count that a walk agrees with goes on being told; where nobody could falsify it, nothing is walked', async (t) => {
  const folder = withFile(emptyFolder(t));
  const meter = new UsageMeter({ projects: { count: () => ({ bytes: 104_096n, inodes: 5n }) } });
  const layer = { directories: [folder], project: { ...sealed, escapable: true } };
  meter.usage('id', layer);

  await eventually(() => meter.usage('other', { directories: [folder] }));

  assert.equal(meter.usage('id', layer)?.way, 'counted');
});

async function eventually(look: () => Usage | undefined): Promise<Usage> {
  for (let tries = 0; tries < 1000; tries++) {
    const found = look();
    if (found !== undefined) return found;
    await sleep(10);
  }
  throw new Error('never measured');
}
