import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawn } from '../../host/spawn.ts';
import type { Child } from '../../host/spawn.ts';
import { detectCgroups, hierarchies } from './cgroup-layout.ts';
import { Cgroups } from './cgroups.ts';
import { createCgroup, frozenAbove, killCgroup, listPids, removeCgroup } from './cgroup-tree.ts';

const layout = detectCgroups();

function cannotRun(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  return hierarchies(layout).length === 0 ? 'needs cgroups' : false;
}

function newCgroup(t: TestContext): string {
  const path = `/gantry-test-${randomBytes(4).toString('hex')}`;
  t.after(async () => {
    await killCgroup(layout, path);
    await removeCgroup(layout, path);
  });
  createCgroup(layout, path);
  return path;
}

/** A shell in the cgroup, in every hierarchy. */
function spawnIn(path: string, script: string): Child {
  const child = spawn('/bin/sh', ['-c', `read go; ${script}`], { stdio: ['pipe-in', 'null', 'null'] });
  for (const mount of hierarchies(layout)) writeFileSync(join(mount, path, 'cgroup.procs'), String(child.pid));
  child.streams[0]!.on('error', () => {});
  child.streams[0]!.end('\n');
  return child;
}

function freeze(path: string): void {
  const freezer = layout.controllers.get('freezer');
  if (freezer === undefined) writeFileSync(join(layout.unified!, path, 'cgroup.freeze'), '1');
  else writeFileSync(join(freezer, path, 'freezer.state'), 'FROZEN');
}

describe('cgroups', { skip: cannotRun() }, () => {
  test('a cgroup is made in every hierarchy, below parents that can hold processes, and making it twice is fine', async (t) => {
    const path = newCgroup(t);

    createCgroup(layout, `${path}/pod/a`);
    createCgroup(layout, `${path}/pod/a`);

    for (const mount of hierarchies(layout)) assert.ok(existsSync(join(mount, path, 'pod/a')), mount);
    const child = spawnIn(`${path}/pod/a`, 'exec sleep 100');
    assert.deepEqual(listPids(layout, path), [child.pid]);
  });

  test('what is frozen, or has a frozen cgroup inside, is killed all the same', async (t) => {
    const path = newCgroup(t);
    createCgroup(layout, `${path}/a/b`);
    spawnIn(`${path}/a/b`, 'exec sleep 100');
    freeze(`${path}/a/b`);
    freeze(path);

    await killCgroup(layout, path);

    assert.deepEqual(listPids(layout, path), []);
  });

  test('a frozen cgroup above is named, and is not thawed', { skip: layout.controllers.get('freezer') === undefined && 'cgroup v2 lets frozen processes be killed' }, async (t) => {
    const path = newCgroup(t);
    createCgroup(layout, `${path}/a/b`);
    assert.equal(frozenAbove(layout, `${path}/a/b`), undefined);

    freeze(path);

    assert.equal(frozenAbove(layout, `${path}/a/b`), path);
    assert.equal(frozenAbove(layout, path), undefined, 'itself can be thawed by who kills it');
  });

  test('killing reaches everything below, also what forks as fast as it can', async (t) => {
    const path = newCgroup(t);
    createCgroup(layout, `${path}/a/b`);
    const child = spawnIn(`${path}/a/b`, 'while :; do sleep 0.02 & sleep 0.01; done & setsid sleep 100 & wait');
    await sleep(100);
    assert.ok(listPids(layout, path).length > 2);

    await killCgroup(layout, path);

    assert.deepEqual(listPids(layout, path), []);
    assert.equal((await child.exited).signal, 9);
    await killCgroup(layout, path);
  });

  test('a tree is removed from the bottom up, and removing it twice is fine', async (t) => {
    const path = newCgroup(t);
    createCgroup(layout, `${path}/a/b`);
    createCgroup(layout, `${path}/c`);

    await removeCgroup(layout, path);

    for (const mount of hierarchies(layout)) assert.equal(existsSync(join(mount, path)), false, mount);
    await removeCgroup(layout, path);
  });

  test('a cgroup with a process in it is not removed, and the process is named', async (t) => {
    const path = newCgroup(t);
    const child = spawnIn(path, 'exec sleep 100');

    await assert.rejects(removeCgroup(layout, path), { kind: 'failed-precondition', message: new RegExp(`remove cgroup .*${path}: process ${child.pid} is in it`) });
  });

  test('the root of a hierarchy is never touched', async () => {
    for (const path of ['/', '', '/..', '/../..', '/x/..']) {
      await assert.rejects(killCgroup(layout, path), { kind: 'invalid-argument' }, path);
      await assert.rejects(removeCgroup(layout, path), { kind: 'invalid-argument' }, path);
    }
  });

  test('what a cgroup uses is measured, and one that is gone has no figures', async (t) => {
    const path = newCgroup(t);
    const cgroups = new Cgroups({ layout, driver: 'cgroupfs' });
    spawnIn(path, 'text=$(seq 100000); while :; do :; done');
    assert.equal(cgroups.measure(path)?.nanoCores, undefined, 'one reading is no rate');
    await sleep(1100);

    const measured = cgroups.measure(path)!;

    assert.ok(measured.stats.cpu!.usageNs > 10_000_000n);
    assert.ok(measured.nanoCores! > 10_000_000n && measured.nanoCores! < 2_000_000_000n, `${measured.nanoCores} nanocores`);
    assert.equal(measured.stats.pids!.processes, 1n);
    assert.ok(measured.stats.memory!.usage > 500_000n, `${measured.stats.memory!.usage} bytes`);
    assert.equal(cgroups.oomKills(path), 0);
    assert.equal(cgroups.measure('/gantry-test-gone'), undefined);
    assert.equal(cgroups.oomKills('/gantry-test-gone'), undefined);
    assert.deepEqual(cgroups.pids('/gantry-test-gone'), []);
  });
});
