import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { parseFaults } from './fault-plan.ts';
import { armFaults, atPoint, atPointNow, disarmFaults, faultsStarted } from './faults.ts';

let told: string[] = [];

function arm(plan: string): void {
  told = [];
  armFaults(parseFaults(plan), (act, point) => told.push(`${act} ${point}`));
}

afterEach(disarmFaults);

test('without a plan the work is done and nothing else', async () => {
  assert.equal(await atPoint('make/bundle', () => 1), 1);
  assert.equal(atPointNow('store/commit', () => 2), 2);
});

test('an error comes before the work or after it, at the passage that is named, and as the system would give it', async () => {
  arm('error(ENOSPC) before make/bundle #2; error(EIO) after make/rootfs');
  faultsStarted();
  let done = 0;
  const work = (): number => ++done;

  await atPoint('make/bundle', work);
  await assert.rejects(atPoint('make/bundle', work), { code: 'ENOSPC', message: 'ENOSPC: asked for by GANTRY_FAULTS, before make/bundle' });
  await atPoint('make/bundle', work);
  assert.equal(done, 2);
  await assert.rejects(atPoint('make/rootfs', work), { code: 'EIO' });
  assert.equal(done, 3, 'what comes after the work finds it done');
  assert.deepEqual(told, ['error before make/bundle', 'error after make/rootfs']);
});

test('rules for the start hold until it is over, the others from then on', () => {
  arm('error(EIO) before store/commit at start; error(EMFILE) before store/commit');

  assert.throws(() => atPointNow('store/commit', () => {}), { code: 'EIO' });
  atPointNow('store/commit', () => {});
  faultsStarted();
  assert.throws(() => atPointNow('store/commit', () => {}), { code: 'EMFILE' });
});

test('a delay holds up the work, a hang for ever', async () => {
  arm('delay(20) before make/bundle; delay(20) before store/commit; hang before make/rootfs');
  faultsStarted();
  const began = performance.now();

  await atPoint('make/bundle', () => {});
  atPointNow('store/commit', () => {});

  assert.ok(performance.now() - began > 38);
  const first = await Promise.race([atPoint('make/rootfs', () => 'done'), atPoint('make/bundle', () => 'went on')]);
  assert.equal(first, 'went on');
});

test('a trace has every point in the order of passing, and tells nothing', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'faults-'));
  t.after(() => rm(folder, { recursive: true }));
  arm(`trace(${folder}/passed) before * every time`);
  faultsStarted();

  await atPoint('make/bundle', () => atPointNow('store/commit', () => {}));
  await atPoint('undo/bundle', () => {});

  assert.equal(readFileSync(`${folder}/passed`, 'utf8'), 'make/bundle\nstore/commit\nundo/bundle\n');
  assert.deepEqual(told, []);
});
