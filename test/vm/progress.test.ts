import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutShort } from './progress.ts';

test('what a machine had no time for is skipped by name, with the command that runs it', () => {
  const passes = [
    { runtime: 'crun', cgroupDriver: 'systemd', files: ['a.test.ts', 'b.test.ts'] },
    { runtime: 'runc', cgroupDriver: 'cgroupfs', files: ['a.test.ts'], tests: 'one|two' },
  ];

  const { counts, lines } = cutShort(passes, { files: 1, counts: { passed: 7, failed: 1, skipped: 2 }, finished: false });

  assert.deepEqual(counts, { passed: 7, failed: 1, skipped: 4 });
  assert.deepEqual(lines, [
    'skipped: b.test.ts: no time left; node test/vm/run.ts --runtime crun --cgroup-driver systemd b.test.ts does it',
    "skipped: a.test.ts: no time left; node test/vm/run.ts --runtime runc --cgroup-driver cgroupfs --tests 'one|two' a.test.ts does it",
  ]);
});
