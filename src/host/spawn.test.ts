import assert from 'node:assert/strict';
import { spawn as spawnByNode } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { isKind } from '../base/errors.ts';
import { run, spawn } from './spawn.ts';

const deadlineMs = 10_000;

test('a program\'s exit code and both outputs come back', async () => {
  const result = await run('/bin/sh', ['-c', 'echo out; echo err >&2; exit 3'], { deadlineMs });

  assert.deepEqual([result.code, result.stdout.toString(), result.stderr.toString(), result.truncated], [3, 'out\n', 'err\n', false]);
});

test('input of any size arrives whole', async () => {
  for (const size of [1, 5000, 300_000]) {
    const input = 'x'.repeat(size);
    const result = await run('/bin/cat', [], { deadlineMs, input });
    assert.equal(result.stdout.toString(), input, `${size} bytes`);
  }
});

test('a program that does not read its input is no failure', async () => {
  assert.equal((await run('/bin/true', [], { deadlineMs, input: 'x'.repeat(1_000_000) })).code, 0);
});

test('output above the limit is dropped and said so', async () => {
  const result = await run('/bin/sh', ['-c', 'head -c 100000 /dev/zero'], { deadlineMs, maxOutputBytes: 1000 });

  assert.equal(result.stdout.length, 1000);
  assert.equal(result.truncated, true);
});

test('a death by signal is 128 and its number', async () => {
  assert.equal((await run('/bin/sh', ['-c', 'kill -TERM $$'], { deadlineMs })).code, 128 + 15);
});

test('at the deadline the program and its children are killed', async () => {
  const began = performance.now();

  await assert.rejects(run('/bin/sh', ['-c', 'sleep 60 & sleep 60'], { deadlineMs: 50 }), (error) => isKind(error, 'deadline-exceeded') && /run program \/bin\/sh: not finished after 50 ms/.test(String(error)));

  assert.ok(performance.now() - began < 5000);
});

test('an aborted signal ends the program', async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 20);

  await assert.rejects(run('/bin/sleep', ['60'], { deadlineMs, signal: abort.signal }), (error) => isKind(error, 'cancelled'));
});

test('output that a grandchild holds open does not hold up the result', async () => {
  const began = performance.now();

  const result = await run('/bin/sh', ['-c', 'sleep 5 & echo done'], { deadlineMs });

  assert.equal(result.stdout.toString(), 'done\n');
  assert.ok(performance.now() - began < 3000);
});

test('what a program wrote arrives also when we were too busy to read until long after its end', async () => {
  const busy = (ms: number): void => {
    for (const end = performance.now() + ms; performance.now() < end;);
  };
  await nextTurn(); // now the loop comes to its timers before it reads anything
  const first = run('/bin/echo', ['done'], { deadlineMs });
  busy(100);

  const second = run('/bin/true', [], { deadlineMs }); // notices the end of the first
  for (let n = 0; n < 100; n++) await undefined;
  busy(300);

  assert.equal((await first).stdout.toString(), 'done\n');
  await second;
});

test('a missing program is not-found, naming it', async () => {
  await assert.rejects(run('/no/such/program', [], { deadlineMs }), (error) => isKind(error, 'not-found') && /\/no\/such\/program/.test(String(error)));
});

test('a child gets the descriptors it is given and none of ours', async () => {
  const fds = ['/etc/passwd', '/etc/group', '/etc/hosts'].map((path) => openSync(path, 'r'));
  try {
    const result = await run('/bin/sh', ['-c', 'for fd in /proc/$$/fd/*; do readlink $fd; done | sort -u'], { deadlineMs });
    assert.doesNotMatch(result.stdout.toString(), /passwd|group|hosts/);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
});

test('descriptors that overlap their targets are not mixed up', async () => {
  const child = spawn('/bin/sh', ['-c', 'echo a >&3; echo b >&4'], { stdio: ['null', 2, 1, 'pipe-out', 'pipe-out'] });
  const read = async (n: number): Promise<string> => {
    let text = '';
    for await (const chunk of child.streams[n]!) text += String(chunk);
    return text;
  };

  assert.deepEqual(await Promise.all([read(3), read(4)]), ['a\n', 'b\n']);
  assert.equal((await child.exited).code, 0);
});

test('many children at once are all collected', async () => {
  const codes = await Promise.all(Array.from({ length: 40 }, async (_, n) => (await run('/bin/sh', ['-c', `exit ${n}`], { deadlineMs })).code));

  assert.deepEqual(codes, Array.from({ length: 40 }, (_, n) => n));
  await sleep(10);
});

test('children of Node\'s own and ours do not take each other\'s exits', async () => {
  const theirs = Array.from({ length: 5 }, (_, n) => spawnByNode('/bin/sh', ['-c', `exit ${n}`]));
  const theirExits = theirs.map(async (child) => (await once(child, 'exit'))[0] as number);

  const ours = await Promise.all(Array.from({ length: 5 }, async (_, n) => (await run('/bin/sh', ['-c', `exit ${n + 10}`], { deadlineMs })).code));

  assert.deepEqual(ours, [10, 11, 12, 13, 14]);
  assert.deepEqual(await Promise.all(theirExits), [0, 1, 2, 3, 4]);
  assert.equal(process.listenerCount('SIGCHLD'), 0, 'who waits for nobody does not listen');
});

test('a start that fails leaves no descriptor open', async () => {
  const before = readdirSync('/proc/self/fd').length;

  for (let n = 0; n < 20; n++) assert.throws(() => spawn('/no/such/program', [], { stdio: ['pipe-in', 'pipe-out', 'pipe-out'] }));

  assert.equal(readdirSync('/proc/self/fd').length, before);
});
