import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { detectCgroups, hierarchies, limitedPath } from './cgroup-layout.ts';

function unifiedMount(t: TestContext, controllers: string): string {
  const mount = mkdtempSync(join(tmpdir(), 'gantry-cgroup2-'));
  t.after(() => rmSync(mount, { recursive: true }));
  writeFileSync(join(mount, 'cgroup.controllers'), `${controllers}\n`);
  return mount;
}

const v1 = [
  '31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - tmpfs tmpfs rw,mode=755',
  '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:10 - cgroup cgroup rw,cpu,cpuacct',
  '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
  '40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,release_agent=/lib/systemd/systemd-cgroups-agent,name=systemd',
].join('\n');

test('v1: each controller has its mount point, and a shared one counts once', () => {
  const layout = detectCgroups(v1);

  assert.equal(layout.mode, 'v1');
  assert.deepEqual([...layout.controllers.keys()], ['cpu', 'cpuacct', 'memory', 'name=systemd']);
  assert.deepEqual(hierarchies(layout), ['/sys/fs/cgroup/cpu,cpuacct', '/sys/fs/cgroup/memory', '/sys/fs/cgroup/systemd']);
  assert.equal(layout.hugetlb, false);
});

test('hybrid: v1 controllers beside a cgroup2 mount, of which the controllers it kept are told', (t) => {
  const mount = unifiedMount(t, 'hugetlb');
  const layout = detectCgroups(`${v1}\n41 31 0:38 / ${mount} rw,relatime - cgroup2 cgroup2 rw`);

  assert.equal(layout.mode, 'hybrid');
  assert.equal(layout.unified, mount);
  assert.deepEqual(layout.unifiedControllers, ['hugetlb']);
  assert.equal(layout.hugetlb, false, 'limits on huge pages go through v1, where there is none');
});

test('v2: one hierarchy', (t) => {
  const mount = unifiedMount(t, 'cpuset cpu io memory hugetlb pids');
  const layout = detectCgroups(`41 31 0:38 / ${mount} rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate`);

  assert.equal(layout.mode, 'v2');
  assert.deepEqual(hierarchies(layout), [mount]);
  assert.equal(layout.hugetlb, true);
});

test('the limits of a scope that crun divided are in the cgroup below it', (t) => {
  const mount = unifiedMount(t, 'memory');
  const layout = detectCgroups(`41 31 0:38 / ${mount} rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate`);
  for (const path of ['a.scope/container', 'b.scope', 'c/container']) mkdirSync(join(mount, path), { recursive: true });

  assert.deepEqual(['/a.scope', '/b.scope', '/c'].map((path) => limitedPath(layout, path)), ['/a.scope/container', '/b.scope', '/c']);
});

test('this host is read without error', () => {
  const layout = detectCgroups();

  assert.ok(layout.mode === 'v2' || layout.controllers.size > 0);
});
