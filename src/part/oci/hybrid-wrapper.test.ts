import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hybridWrapper, isShared } from './hybrid-wrapper.ts';

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
