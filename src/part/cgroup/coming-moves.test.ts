import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CgroupLayout } from './cgroup-layout.ts';
import { ComingMoves } from './coming-moves.ts';

/** A hierarchy of files in which the cgroup that we are in lists these processes. Its name is that of our first one. */
function hierarchy(t: TestContext, pids: readonly number[]): { readonly layout: CgroupLayout; readonly procs: string } {
  const mount = mkdtempSync(join(tmpdir(), 'gantry-cgroup-'));
  t.after(() => rmSync(mount, { recursive: true }));
  const [, names = '', path = ''] = /^\d+:([^:]*):(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8')) ?? [];
  mkdirSync(join(mount, path), { recursive: true });
  const procs = join(mount, path, 'cgroup.procs');
  writeFileSync(procs, pids.map((pid) => `${pid}\n`).join(''));
  const [name = ''] = names.split(',');
  const layout: CgroupLayout = { mode: 'v1', controllers: new Map(name === '' ? [] : [[name, mount]]), unified: name === '' ? mount : undefined, unifiedControllers: [], hugetlb: false };
  return { layout, procs };
}

/** Announces until it is seen: what is under way is not begun again. */
async function seen(moves: ComingMoves, procs: string): Promise<void> {
  while (readFileSync(procs, 'utf8') !== `${process.pid}`) {
    moves.announce();
    await sleep(5);
  }
}

test('the kernel is told of a coming move by one of ours to where we are', { timeout: 60_000 }, async (t) => {
  const { layout, procs } = hierarchy(t, [1, process.pid]);
  const moves = new ComingMoves(layout);

  await seen(moves, procs);

  writeFileSync(procs, `7\n${process.pid}\n`);
  await seen(moves, procs);
});

test('where we are not to be found nothing is moved, and nothing fails', async (t) => {
  const { layout, procs } = hierarchy(t, [1, process.pid + 1]);

  for (const one of [layout, { ...layout, controllers: new Map(), unified: undefined }, { ...layout, controllers: new Map(), unified: '/nowhere' }]) new ComingMoves(one).announce();
  await sleep(50);

  assert.equal(readFileSync(procs, 'utf8'), `1\n${process.pid + 1}\n`);
});
