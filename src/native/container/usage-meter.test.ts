import assert from 'node:assert/strict';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageMeter } from './usage-meter.ts';
import type { Usage } from './usage-meter.ts';

test('a layer is measured behind the caller\'s back; a file with two names counts once', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-usage-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'a'));
  writeFileSync(join(folder, 'a/big'), Buffer.alloc(100_000, 1));
  linkSync(join(folder, 'a/big'), join(folder, 'same'));
  const meter = new UsageMeter();

  assert.equal(meter.usage('id', folder), undefined, 'the first answer does not wait');

  const figure = await eventually(() => meter.usage('id', folder));
  assert.equal(figure.inodes, 2n);
  assert.ok(figure.bytes >= 100_000n && figure.bytes < 120_000n, String(figure.bytes));
});

test('a layer that is gone has no figure and holds nothing up', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-usage-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const meter = new UsageMeter();
  meter.usage('gone', join(folder, 'no-such-folder'));
  meter.usage('there', folder);

  await eventually(() => meter.usage('there', folder));

  assert.equal(meter.usage('gone', join(folder, 'no-such-folder')), undefined);
});

test('a layer whose files come and go while it is walked has a figure all the same', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-usage-'));
  writeFileSync(join(folder, 'kept'), Buffer.alloc(50_000, 1));
  let n = 0;
  const busy = setInterval(() => {
    for (const end = n + 2; n < end; n++) {
      mkdirSync(join(folder, `d${n}`));
      writeFileSync(join(folder, `d${n}/x`), '');
      if (n >= 8) rmSync(join(folder, `d${n - 8}`), { recursive: true });
    }
  }, 1);
  t.after(() => {
    clearInterval(busy);
    rmSync(folder, { recursive: true });
  });
  const meter = new UsageMeter();

  for (let round = 0; round < 20; round++) assert.ok((await eventually(() => meter.usage(`layer ${round}`, folder))).bytes >= 50_000n);
});

test('symlinks are not followed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-usage-'));
  t.after(() => rmSync(folder, { recursive: true }));
  symlinkSync('/usr', join(folder, 'away'));
  const meter = new UsageMeter();

  assert.equal((await eventually(() => meter.usage('id', folder))).inodes, 1n);
});

async function eventually(look: () => Usage | undefined): Promise<Usage> {
  for (let tries = 0; tries < 500; tries++) {
    const found = look();
    if (found !== undefined) return found;
    await sleep(10);
  }
  throw new Error('never measured');
}
