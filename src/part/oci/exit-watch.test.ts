import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../base/log.ts';
import { spawn } from '../../host/spawn.ts';
import { ExitWatch, readExit, unknownExitCode } from './exit-watch.ts';
import type { Exit, WatchedContainer } from './exit-watch.ts';
import { processRef } from './process-ref.ts';
import type { ProcessRef } from './process-ref.ts';

const gone: ProcessRef = { pid: 4_194_304, startTime: 1 }; // above any pid there is
const self = processRef(process.pid)!;

function exitDirectory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'gantry-exits-'));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

function openWatch(t: TestContext, dir: string, scanMs = 60_000): ExitWatch {
  const watch = new ExitWatch({ dir, log: silentLogger, scanMs });
  t.after(() => watch.close());
  return watch;
}

/** As conmon does it: a temporary name, then rename. */
function writeExit(dir: string, id: string, content: string): void {
  writeFileSync(join(dir, `${id}.WHXEZ3`), content);
  renameSync(join(dir, `${id}.WHXEZ3`), join(dir, id));
}

function observe(watch: ExitWatch, subject: Omit<WatchedContainer, 'onExit' | 'onMonitorLost'>): { exit: Promise<Exit>; lost: Promise<void>; exits: Exit[] } {
  const exits: Exit[] = [];
  const exit = Promise.withResolvers<Exit>();
  const lost = Promise.withResolvers<void>();
  watch.watch({ ...subject, onExit: (seen) => { exits.push(seen); exit.resolve(seen); }, onMonitorLost: () => lost.resolve() });
  return { exit: exit.promise, lost: lost.promise, exits };
}

test('an exit file that appears is reported with its code and time', async (t) => {
  const dir = exitDirectory(t);
  const seen = observe(openWatch(t, dir), { id: 'c1', container: self, conmon: self });

  await new Promise((resolve) => { setTimeout(resolve, 20); });
  const before = BigInt(Date.now()) * 1_000_000n;
  writeExit(dir, 'c1', '137');

  const exit = await seen.exit;
  assert.equal(exit.code, 137);
  assert.equal(exit.monitorLost, false);
  assert.ok(exit.at >= before - 20_000_000n, 'the time is that of the file');
});

test('a container that ended before it was watched is reported all the same', async (t) => {
  const dir = exitDirectory(t);
  writeExit(dir, 'c1', '3');
  utimesSync(join(dir, 'c1'), 1_700_000_000, 1_700_000_000);

  const seen = observe(openWatch(t, dir), { id: 'c1', container: gone, conmon: gone });

  assert.deepEqual(await seen.exit, { code: 3, at: 1_700_000_000_000_000_000n, monitorLost: false });
});

test('a lost event is made up for by the scan', async (t) => {
  const dir = exitDirectory(t);
  const watch = openWatch(t, dir, 20);
  const seen = observe(watch, { id: 'c1', container: self, conmon: self });
  rmSync(dir, { recursive: true }); // the watcher is blind after this
  await new Promise((resolve) => { setTimeout(resolve, 60); });

  t.after(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(dir);
  writeExit(dir, 'c1', '0');

  assert.equal((await seen.exit).code, 0);
});

test('one end is reported once, and forgetting removes the file', async (t) => {
  const dir = exitDirectory(t);
  const watch = openWatch(t, dir, 10);
  const seen = observe(watch, { id: 'c1', container: self, conmon: self });
  writeExit(dir, 'c1', '1');
  await seen.exit;

  writeExit(dir, 'c1', '2');
  await new Promise((resolve) => { setTimeout(resolve, 50); });
  watch.forget('c1');

  assert.equal(seen.exits.length, 1);
  assert.equal(readExit(dir, 'c1'), undefined);
});

test('a dead conmon is told, and the end of its container then has an unknown code', async (t) => {
  const dir = exitDirectory(t);
  const child = spawn('/bin/sleep', ['60'], { stdio: ['null', 'null', 'null'] });
  t.after(() => child.kill('SIGKILL'));
  const watch = openWatch(t, dir, 10);

  const seen = observe(watch, { id: 'c1', container: processRef(child.pid)!, conmon: gone });
  await seen.lost;
  assert.equal(seen.exits.length, 0);

  child.kill('SIGKILL');
  const exit = await seen.exit;
  assert.equal(exit.code, unknownExitCode);
  assert.equal(exit.monitorLost, true);
});

test('the end of a conmon that is our child is noticed without a scan', async (t) => {
  const dir = exitDirectory(t);
  const conmon = spawn('/bin/sleep', ['60'], { stdio: ['null', 'null', 'null'] });
  const ended = (async () => { await conmon.exited; })();
  const seen = observe(openWatch(t, dir), { id: 'c1', container: self, conmon: processRef(conmon.pid)!, conmonExited: ended });

  conmon.kill('SIGKILL');

  await seen.lost;
});

test('a callback that throws does not stop the watch', async (t) => {
  const dir = exitDirectory(t);
  const watch = openWatch(t, dir);
  watch.watch({ id: 'bad', container: self, conmon: self, onExit: () => { throw new Error('boom'); }, onMonitorLost: () => {} });
  const seen = observe(watch, { id: 'good', container: self, conmon: self });

  writeExit(dir, 'bad', '1');
  writeExit(dir, 'good', '2');

  assert.equal((await seen.exit).code, 2);
});

test('an exit file without a status is an unknown code', (t) => {
  const dir = exitDirectory(t);
  writeExit(dir, 'c1', '-1');
  writeExit(dir, 'c2', '');

  assert.equal(readExit(dir, 'c1')?.code, unknownExitCode);
  assert.equal(readExit(dir, 'c2')?.code, unknownExitCode);
});
