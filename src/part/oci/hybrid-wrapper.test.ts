import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hybridWrapper, isCrun, isShared } from './hybrid-wrapper.ts';

const mountInfo = [
  '31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - tmpfs tmpfs rw,mode=755',
  '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:10 master:2 - cgroup2 cgroup2 rw',
  '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
].join('\n');

test('a shared mount is told from a private one by its optional fields', () => {
  assert.equal(isShared('/sys/fs/cgroup/unified', mountInfo), true);
  assert.equal(isShared('/sys/fs/cgroup/memory', mountInfo), false);
  assert.equal(isShared('/nowhere', mountInfo), false);
});

test('the wrapper hands the masked file and then the command to a shell', () => {
  const words = hybridWrapper('/sys/fs/cgroup/unified/cgroup.controllers');

  assert.match(words[0]!, /^\/(usr\/)?bin\/unshare$/);
  assert.deepEqual(words.slice(1, 5), ['--mount', '--propagation', 'unchanged', 'sh']);
  assert.equal(words.at(-1), '/sys/fs/cgroup/unified/cgroup.controllers');
});

test('crun is known by what it says of itself, and by its name when it says nothing', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-crun-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = (name: string, says: string): string => {
    writeFileSync(join(folder, name), `#!/bin/sh\necho "${says}"\n`, { mode: 0o755 });
    return join(folder, name);
  };

  assert.equal(await isCrun(program('odd-name', 'crun version 1.8.1')), true);
  assert.equal(await isCrun(program('crun', 'runc version 1.1.5')), false);
  assert.equal(await isCrun('/nowhere/crun-1.21'), true);
  assert.equal(await isCrun('/nowhere/runc'), false);
});
