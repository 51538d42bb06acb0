import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isOomVictim, wasOomKilled } from './oom-killed.ts';

const inKernelLog = (): boolean => false;

test('the counter of the cgroup decides when it is known, the oom file of conmon when it is gone', (t) => {
  const bundle = mkdtempSync(join(tmpdir(), 'gantry-oom-'));
  t.after(() => rmSync(bundle, { recursive: true }));
  const evidence = { exitCode: 137, oomKillsAround: 0, bundle, inKernelLog, killedByUs: false };

  assert.equal(wasOomKilled({ ...evidence, oomKills: 1 }), true);
  assert.equal(wasOomKilled({ ...evidence, oomKills: undefined }), false);

  writeFileSync(join(bundle, 'oom'), '');
  assert.equal(wasOomKilled({ ...evidence, oomKills: undefined }), true);
  assert.equal(wasOomKilled({ ...evidence, oomKills: 0 }), false, 'a neighbour ran out of memory, not we');
});

test('a container that ended well, or that we killed, was not killed for memory', () => {
  assert.equal(wasOomKilled({ exitCode: 0, oomKills: 1, oomKillsAround: 1, bundle: '/nowhere', inKernelLog, killedByUs: false }), false);
  assert.equal(wasOomKilled({ exitCode: 137, oomKills: 1, oomKillsAround: 1, bundle: '/nowhere', inKernelLog, killedByUs: true }), false);
});

test('where systemd was faster than conmon, a SIGKILL counts that the pod\'s cgroup counted', () => {
  const gone = { exitCode: 137, oomKills: undefined, oomKillsAround: 1, bundle: '/nowhere', inKernelLog, killedByUs: false };

  assert.equal(wasOomKilled(gone), true);
  assert.equal(wasOomKilled({ ...gone, oomKillsAround: 0 }), false);
  assert.equal(wasOomKilled({ ...gone, oomKills: 0 }), false, 'a neighbour\'s');
  assert.equal(wasOomKilled({ ...gone, exitCode: 1 }), false);
  assert.equal(wasOomKilled({ ...gone, killedByUs: true }), false);
});

test('where systemd took the slice too, the kernel\'s log decides; it is not read where the counter is there, or the end needs no reason', () => {
  const gone = { exitCode: 137, oomKills: undefined, oomKillsAround: 0, bundle: '/nowhere', killedByUs: false };
  const asked: string[] = [];
  const logged = (why: string) => ({ inKernelLog: () => asked.push(why) > 0 });

  assert.equal(wasOomKilled({ ...gone, ...logged('gone') }), true);
  assert.equal(wasOomKilled({ ...gone, exitCode: 1, ...logged('a shell ended of its child') }), true);
  assert.equal(wasOomKilled({ ...gone, oomKills: 0, ...logged('counted') }), false);
  assert.equal(wasOomKilled({ ...gone, exitCode: 0, ...logged('well') }), false);
  assert.equal(wasOomKilled({ ...gone, killedByUs: true, ...logged('ours') }), false);
  assert.deepEqual(asked, ['gone', 'a shell ended of its child']);
});

test('a victim is found by the container\'s id in the cgroup that the kernel names, under either driver, or below it', () => {
  const [id, other] = ['0123abcd', '4567cdef'];
  const line = (memcg: string, task: string): string => `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=${memcg},mems_allowed=0,oom_memcg=/kubepods/${id},task_memcg=${task},task=tail,pid=4711,uid=0`;
  const global = (task: string): string => `oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=${task},task=tail,pid=4711,uid=0`;

  for (const task of [`/kubepods/pod1/${id}`, `/kubepods.slice/gantry-${id}.scope/container`, `/node/kubepods/${id}/inner/most`]) {
    assert.equal(isOomVictim(['eth0: link up', line('container', task)], id), true, task);
    assert.equal(isOomVictim([global(task)], id), true, task);
  }
  for (const text of ['', `tail invoked oom-killer: ${id}`, line(id, `/kubepods/pod1/${other}`), `Memory cgroup out of memory: Killed process 4711 (${id})`]) assert.equal(isOomVictim([text], id), false, text);
});
