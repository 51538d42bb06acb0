import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawn } from '../../host/spawn.ts';
import { processAlive, processRef, readProcessStat, readStartTime } from './process-ref.ts';

test('a process lives until it is gone, and its pid with another start time is another process', async () => {
  const child = spawn('/bin/sleep', ['60'], { stdio: ['null', 'null', 'null'] });
  const ref = processRef(child.pid)!;

  assert.equal(processAlive(ref), true);
  assert.equal(processAlive({ pid: ref.pid, startTime: ref.startTime - 1 }), false);

  child.kill('SIGKILL');
  await child.exited;
  assert.equal(processAlive(ref), false);
  assert.equal(processRef(child.pid), undefined);
});

test('a zombie counts as dead', async (t) => {
  // The shell becomes a program that never collects its child.
  const child = spawn('/bin/sh', ['-c', 'sleep 0 & exec sleep 60'], { stdio: ['null', 'null', 'null'] });
  t.after(() => child.kill('SIGKILL'));
  let zombie: number | undefined;
  for (let n = 0; n < 200 && zombie === undefined; n++) {
    await sleep(10);
    zombie = findZombieOf(child.pid);
  }

  assert.ok(zombie !== undefined, 'no zombie came about');
  assert.equal(readStartTime(zombie), undefined);
});

function findZombieOf(parent: number): number | undefined {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1').trim().split(' ');
  return children.map(Number).find((pid) => readProcessStat(pid)?.state === 'Z');
}

test('a command name with spaces and parentheses does not confuse the reading', async (t) => {
  const child = spawn('/bin/sh', ['-c', 'printf "a) Z 1 (b" > /proc/self/comm; read x < /dev/zero'], { stdio: ['null', 'null', 'null'] });
  t.after(() => child.kill('SIGKILL'));
  await sleep(50);

  assert.equal(readProcessStat(child.pid)?.parent, process.pid);
});
