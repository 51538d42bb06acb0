import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { leftovers, sweep, takeSnapshot } from './leftovers.ts';
import { beginRun, markVariable, otherRuns, type TestRun } from './test-run.ts';

/** A run of its own, beside the one that this test belongs to. */
function runFor(t: TestContext): TestRun {
  const parent = mkdtempSync(path.join(os.tmpdir(), 'runs-'));
  const run = beginRun(parent);
  t.after(async () => {
    await sweep(run);
    rmSync(parent, { recursive: true, force: true });
  });
  return run;
}

const command = (file: string, ...args: string[]): void => {
  const { status, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  assert.equal(status, 0, `${file} ${args.join(' ')}: ${stderr}`);
};

test('a process, a mount, a namespace, a bridge, a cgroup, a firewall rule that a run made are all found, and swept away', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('needs root');
  const run = runFor(t);
  const before = takeSnapshot();
  assert.deepEqual(leftovers(before, run, false), []);

  const child = spawn('sleep', ['600'], { env: { PATH: process.env.PATH, [markVariable]: run.mark }, detached: true, stdio: 'ignore' });
  const ended = once(child, 'exit');
  mkdirSync(path.join(run.dir, 'mnt'));
  command('mount', '-t', 'tmpfs', 'none', path.join(run.dir, 'mnt'));
  command('ip', 'netns', 'add', `${run.mark}-ns`);
  command('ip', 'link', 'add', `${run.mark}-br`, 'type', 'bridge');
  const hierarchy = existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup';
  mkdirSync(path.join(hierarchy, `${run.mark}-pods`, 'inner'), { recursive: true });
  const chain = `CNI-${run.mark.slice(2)}${run.mark.slice(2)}`;
  command('iptables', '-w', '-t', 'nat', '-N', chain);
  command('iptables', '-w', '-t', 'nat', '-A', 'POSTROUTING', '-s', '192.0.2.1', '-m', 'comment', '--comment', `name: "${run.mark}" id: "x"`, '-j', chain);

  const found = leftovers(before, run, false);

  const kinds = found.map((line) => line.split(' ')[0]);
  assert.deepEqual([...new Set(kinds)].sort(), ['cgroup', 'firewall', 'link', 'mount', 'network', 'process'], found.join('\n'));

  await sweep(run);

  assert.deepEqual(leftovers(before, run, false), []);
  await ended;
  assert.notEqual(spawnSync('iptables', ['-w', '-t', 'nat', '-S', chain]).status, 0, 'the chain is gone too');
  assert.ok(!existsSync(run.dir));
});

test('a run whose owner is dead is told from one that lives', (t) => {
  const run = runFor(t);
  const live = beginRun(path.dirname(run.dir));
  const dead = beginRun(path.dirname(run.dir));
  writeFileSync(path.join(dead.dir, 'owner.json'), JSON.stringify({ pid: process.pid, startTime: '1' }));

  assert.deepEqual(otherRuns(run), { alive: [live], dead: [dead] });
});
