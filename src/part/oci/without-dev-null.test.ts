import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../../host/spawn.ts';
import { withoutDevNull } from './without-dev-null.ts';

const report = { file: '/bin/sh', args: ['-c', 'readlink /proc/self/fd/0 /proc/self/fd/1; cat; echo "$@" >&2', 'sh', 'a b', "$c'"] };

test('the command has an empty pipe to read, and its arguments as they were', async () => {
  const { file, args } = withoutDevNull(report, { terminal: false });

  const { code, stdout, stderr } = await run(file, args, { deadlineMs: 10_000 });

  assert.equal(code, 0);
  assert.match(stdout.toString(), /^pipe:\[\d+\]\npipe:\[\d+\]\n$/);
  assert.equal(stderr.toString(), "a b $c'\n");
});

test('with a terminal its output is the pipe of the errors', async () => {
  const { file, args } = withoutDevNull(report, { terminal: true });

  const { stdout, stderr } = await run(file, args, { deadlineMs: 10_000 });

  assert.equal(stdout.toString(), '');
  assert.match(stderr.toString(), /^pipe:\[\d+\]\npipe:\[\d+\]\na b/);
});
