import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmdirSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { findProgram } from '../../host/find-program.ts';
import { bundleFiles } from './bundle.ts';
import { conmonOf } from './conmon.ts';
import { readExit } from './exit-watch.ts';
import { OciRuntime } from './oci-runtime.ts';
import { processAlive, readProcessStat } from './process-ref.ts';
import { RuntimeBed, eventually, logLines, missingForContainers, runtimesUnderTest } from './runtime-bed.fake.ts';

for (const handler of runtimesUnderTest) {
  describe(handler, { skip: missingForContainers(handler) ?? false }, () => {
    test('a container is created, started, ends, and leaves its exit code and a log in the CRI format', async (t) => {
      const bed = new RuntimeBed(t, handler);

      const container = await bed.create({ args: ['/bin/sh', '-c', 'echo out; echo err >&2; echo -n rest; exit 7'] });
      assert.equal((await bed.runtime.state(container.id))?.status, 'created');
      assert.equal(readFileSync(container.logPath, 'utf8'), '', 'nothing runs before start');

      await bed.runtime.start(container.id);
      await container.conmonExited;

      assert.equal(readExit(bed.exitDir, container.id)?.code, 7);
      assert.deepEqual(logLines(container).toSorted(), ['stderr F err', 'stdout F out', 'stdout P rest']);
      assert.match(readFileSync(container.logPath, 'utf8'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}[+-]\d\d:\d\d stdout F out$/m);
      assert.equal((await bed.runtime.state(container.id))?.status, 'stopped');
      await bed.runtime.delete(container.id);
      assert.equal(await bed.runtime.state(container.id), undefined);
    });

    test('the processes it names are the real ones', async (t) => {
      const bed = new RuntimeBed(t, handler);

      const container = await bed.run({ args: ['/bin/sleep', '100'] });

      assert.equal((await bed.runtime.state(container.id))?.pid, container.container.pid);
      assert.equal(readProcessStat(container.container.pid)?.parent, container.conmon.pid);
      assert.deepEqual(conmonOf(container.bundle), container.conmon);
      assert.equal(processAlive(container.conmon), true);
    });

    test('SIGKILL gives 137; to signal or delete what is over or unknown is no error', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });

      await assert.rejects(bed.runtime.delete(container.id), { kind: 'failed-precondition' });
      await bed.runtime.kill(container.id, 'KILL');
      await container.conmonExited;

      assert.equal(readExit(bed.exitDir, container.id)?.code, 137);
      await bed.runtime.kill(container.id, 'TERM');
      await bed.runtime.delete(container.id);
      await bed.runtime.delete(container.id);
      await bed.runtime.delete(container.id, { force: true });
      await bed.runtime.kill(container.id, 'KILL');
    });

    test('to start twice is refused, to start the unknown is not-found', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });

      await assert.rejects(bed.runtime.start(container.id), { kind: 'failed-precondition' });
      await assert.rejects(bed.runtime.start('nope'), { kind: 'not-found' });
    });

    test('a command that is not in the image fails with the sentence that the kubelet shows', async (t) => {
      const bed = new RuntimeBed(t, handler);

      await assert.rejects(bed.create({ args: ['nope'] }), { kind: 'failed-precondition', message: /^create container t\w+: (crun|runc): .*executable file .*not found in \$PATH/ });
      await assert.rejects(bed.create({ args: ['/not-executable'] }), { kind: 'failed-precondition', message: /permission denied/i });

      for (const id of bed.ids) assert.equal(await bed.runtime.state(id), undefined, 'nothing of it is left');
    });

    test('nothing of ours is open in the container, and its descriptors are pipes of conmon', async (t) => {
      const bed = new RuntimeBed(t, handler);

      const container = await bed.run({ args: ['/bin/sh', '-c', 'ls /proc/self/fd; sleep 100'] });
      await eventually(() => logLines(container).length >= 4);

      // 3 is the directory that ls reads
      assert.deepEqual(logLines(container), ['0', '1', '2', '3'].map((fd) => `stdout F ${fd}`));
      assert.equal(readlinkSync(`/proc/${container.container.pid}/fd/0`), '/dev/null');
      const ofConmon = readdirSync(`/proc/${container.conmon.pid}/fd`).map((fd) => readlinkSync(`/proc/${container.conmon.pid}/fd/${fd}`));
      assert.deepEqual(ofConmon.filter((target) => target.startsWith('/') && !target.startsWith(bed.dir) && !/^\/(dev\/null|sys\/fs\/cgroup)/.test(target)), []);
    });

    test('an empty log path throws output away', async (t) => {
      const bed = new RuntimeBed(t, handler);

      const container = await bed.run({ args: ['/bin/sh', '-c', 'echo hello'], log: false });
      await container.conmonExited;

      assert.equal(readExit(bed.exitDir, container.id)?.code, 0);
      assert.deepEqual(readdirSync(container.bundle).filter((name) => name.includes('log')), []);
    });

    test('a terminal is a terminal', async (t) => {
      const bed = new RuntimeBed(t, handler);

      const container = await bed.run({ args: ['/bin/sh', '-c', 'tty'], terminal: true });
      await container.conmonExited;

      assert.match(readFileSync(container.logPath, 'utf8'), / stdout F \/dev\//);
      assert.equal(existsSync(bundleFiles(container.bundle).attach), false, 'conmon takes its socket with it');
    });

    test('stdin is a pipe only where it is wanted', async (t) => {
      const bed = new RuntimeBed(t, handler);

      const container = await bed.run({ args: ['/bin/sleep', '100'], stdin: true });

      assert.match(readlinkSync(`/proc/${container.container.pid}/fd/0`), /^pipe:/);
      assert.equal(existsSync(bundleFiles(container.bundle).attach), true);
    });

    test('conmon joins the cgroup that it is given, the container does not', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const hierarchy = existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup';
      const cgroup = join(hierarchy, `gantry-test-conmon-${randomBytes(4).toString('hex')}`);
      mkdirSync(cgroup);
      t.after(() => eventually(() => { rmdirSync(cgroup); return true; }));

      const container = await bed.run({ args: ['/bin/sleep', '100'], request: { cgroups: [cgroup] } });

      assert.equal(readFileSync(join(cgroup, 'cgroup.procs'), 'latin1').trim(), String(container.conmon.pid));
      await bed.runtime.delete(container.id, { force: true });
      await container.conmonExited;
    });

    test('a create that hangs is given up at its deadline, and nothing of it is left', async (t) => {
      const bed = new RuntimeBed(t, handler);
      // the fake hangs in create, as runtimes do on a dead NFS server, and is the real runtime otherwise
      const path = join(bed.dir, 'hanging-runtime');
      writeFileSync(path, `#!/bin/sh\ncase "$*" in *create*) echo $$ > ${bed.dir}/hanging.pid; exec sleep 1000;; esac\nexec ${findProgram(handler)} "$@"\n`);
      chmodSync(path, 0o755);
      const runtime = new OciRuntime({ name: 'hanging', path, stateRoot: join(bed.dir, 'hanging-state'), systemdCgroup: false, log: silentLogger });

      await assert.rejects(bed.create({ args: ['/bin/true'], request: { runtime, deadlineMs: 500 } }), { kind: 'deadline-exceeded', message: /^create container t\w+: hanging did not finish within 0\.5 s$/ });

      const pid = Number(readFileSync(join(bed.dir, 'hanging.pid'), 'latin1'));
      await eventually(() => { const stat = readProcessStat(pid); return stat === undefined || stat.state === 'Z'; });
    });

    test('a caller who goes away ends the create', async (t) => {
      const bed = new RuntimeBed(t, handler);

      await assert.rejects(bed.create({ args: ['/bin/true'], request: { signal: AbortSignal.abort() } }), { kind: 'cancelled' });
      assert.equal(await bed.runtime.state(bed.ids[0]!), undefined);
    });

    test('a missing runtime or conmon is named', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const runtime = new OciRuntime({ name: 'lost', path: '/nowhere/lost', stateRoot: bed.dir, systemdCgroup: false, log: silentLogger });

      await assert.rejects(bed.create({ args: ['/bin/true'], request: { runtime } }), { kind: 'failed-precondition', message: /runtime handler lost: no program \/nowhere\/lost; install it/ });
      await assert.rejects(bed.create({ args: ['/bin/true'], request: { conmon: '/nowhere/conmon' } }), { kind: 'failed-precondition', message: /no program \/nowhere\/conmon; install conmon/ });
      await assert.rejects(runtime.state('x'), { kind: 'failed-precondition' });
      await assert.rejects(runtime.probe(), { kind: 'failed-precondition' });
    });

    test('what conmon itself complains about is passed on', async (t) => {
      const bed = new RuntimeBed(t, handler);

      await assert.rejects(bed.create({ args: ['/bin/true'], request: { logPath: '/nowhere/at/all.log' } }), { message: /conmon ended without an answer: Failed to open log file/ });
    });

    test('a log path with a colon is refused', async (t) => {
      const bed = new RuntimeBed(t, handler);

      await assert.rejects(bed.create({ args: ['/bin/true'], request: { logPath: '/tmp/a:b.log' } }), { kind: 'invalid-argument', message: /log path \/tmp\/a:b\.log has a colon/ });
    });

    test('limits change with update', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'], memoryLimit: 64 << 20 });
      const file = existsSync('/sys/fs/cgroup/memory') ? `/sys/fs/cgroup/memory${container.cgroup}/memory.limit_in_bytes` : `/sys/fs/cgroup${container.cgroup}/memory.max`;
      assert.equal(readFileSync(file, 'latin1').trim(), String(64 << 20));

      await bed.runtime.update(container.id, JSON.stringify({ memory: { limit: 96 << 20, swap: 96 << 20 } }));

      assert.equal(readFileSync(file, 'latin1').trim(), String(96 << 20));
    });

    test('the runtime says what it is', async (t) => {
      const bed = new RuntimeBed(t, handler);

      assert.match((await bed.runtime.probe()).version, new RegExp(`^${handler} version \\d+\\.\\d+`));
    });
  });
}
