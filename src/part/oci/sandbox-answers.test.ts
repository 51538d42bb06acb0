import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCpuTime, withDescendants } from './sandbox-answers.ts';

const table = `UID       PID       PPID      C         TTY       STIME     TIME      CMD
0         2         0         0         ?         00:46     50ms      sh
0         19        0         5         ?         00:50     100ms     sh
0         24        19        1         ?         00:50     10ms      sleep
0         31        24        1         ?         00:50     10ms      sleep
`;

test('a process is named with all below it, and no other', () => {
  assert.deepEqual(withDescendants(19, table), [19, 24, 31]);
  assert.deepEqual(withDescendants(24, table), [24, 31]);
});

test('a process that the table has not any more is named alone', () => {
  assert.deepEqual(withDescendants(77, ''), [77]);
});

test('the CPU time of a container is read in nanoseconds, and from nothing else', () => {
  assert.equal(parseCpuTime('{"type":"stats","id":"1","data":{"cpu":{"usage":{"total":565623039}},"memory":{"usage":{"limit":0}}}}'), 565_623_039n);
  assert.equal(parseCpuTime('{"type":"stats","id":"1","data":{"cpu":{"usage":{}},"memory":{"usage":{"total":7,"limit":0}}}}'), 0n, 'one that has not used a whole tick yet');
  assert.equal(parseCpuTime('{"data":{"memory":{"usage":{"total":1}}}}'), undefined);
});
