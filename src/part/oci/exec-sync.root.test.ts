import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { execOutputLimit, execSync } from './exec-sync.ts';
import type { ExecSyncRequest, ExecSyncResult } from './exec-sync.ts';
import { OciRuntime } from './oci-runtime.ts';
import { RuntimeBed, eventually, missingForContainers, runtimesUnderTest } from './runtime-bed.fake.ts';
import type { MadeContainer } from './runtime-bed.fake.ts';

const seconds = (n: number): number => n * 1000;

function exec(bed: RuntimeBed, container: MadeContainer, args: readonly string[], more: Partial<ExecSyncRequest> = {}): Promise<ExecSyncResult> {
  return execSync({
    runtime: bed.runtime,
    id: container.id,
    process: { args, env: ['PATH=/bin'], cwd: '/', user: { uid: 0, gid: 0 } },
    timeoutMs: seconds(20),
    maxBytes: execOutputLimit,
    directory: container.bundle,
    containerPids: () => bed.pids(container.cgroup),
    ...more,
  });
}

/** The commands that run in the container, as their arguments. */
function commandsIn(bed: RuntimeBed, container: MadeContainer): string[] {
  return bed.pids(container.cgroup).map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
    } catch {
      return '';
    }
  }).filter((command) => command !== '');
}

for (const handler of runtimesUnderTest) {
  describe(handler, { skip: missingForContainers(handler) ?? false }, () => {
    test('a command gives its output, its errors and its exit code', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });

      const result = await exec(bed, container, ['sh', '-c', 'echo out; echo err >&2; exit 3']);

      assert.deepEqual({ ...result, stdout: result.stdout.toString(), stderr: result.stderr.toString() }, { stdout: 'out\n', stderr: 'err\n', exitCode: 3 });
      assert.deepEqual(readdirSync(container.bundle).filter((name) => name.startsWith('exec-')), [], 'its files are gone');
    });

    test('a command ended by a signal gives 128 + n, and stdin is empty', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });

      assert.equal((await exec(bed, container, ['sh', '-c', 'kill -9 $$'])).exitCode, 137);
      assert.equal((await exec(bed, container, ['cat'])).stdout.length, 0);
    });

    test('nothing of ours is open in the command', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });

      // 3 is the directory that ls reads
      assert.equal((await exec(bed, container, ['ls', '/proc/self/fd'])).stdout.toString(), '0\n1\n2\n3\n');
    });

    test('a time-out kills the whole tree, also what went its own way, and nothing else', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sh', '-c', 'sleep 101 & sleep 102'] });
      const other = exec(bed, container, ['sh', '-c', 'sleep 1.5; echo unharmed']);
      await eventually(() => commandsIn(bed, container).includes('sleep 1.5'));

      const began = performance.now();
      await assert.rejects(
        // a child, a grandchild in a session of its own whose parent is gone, and one that ignores polite signals
        exec(bed, container, ['sh', '-c', 'sleep 201 & (setsid sleep 202 &) ; (trap "" TERM HUP; sleep 203) & sleep 204'], { timeoutMs: 500 }),
        { kind: 'deadline-exceeded', message: `exec in container ${container.id}: "sh" timed out after 0.5 s; its processes were killed` },
      );

      assert.ok(performance.now() - began < 2500, 'the answer comes in time');
      const left = commandsIn(bed, container);
      assert.deepEqual(left.filter((command) => /sleep 20\d/.test(command)), []);
      assert.deepEqual(left.filter((command) => /^sleep 10\d/.test(command)).toSorted(), ['sleep 101', 'sleep 102']);
      assert.equal((await other).stdout.toString(), 'unharmed\n');
    });

    test('a command that timed out is gone, not even a zombie', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });

      await assert.rejects(exec(bed, container, ['sleep', '208'], { timeoutMs: 500 }), { kind: 'deadline-exceeded' });

      // in its own /proc the container sees zombies too, as pgrep would
      const names = await exec(bed, container, ['sh', '-c', 'cat /proc/[0-9]*/comm']);
      assert.deepEqual(names.stdout.toString().split('\n').filter((name) => name === 'sleep'), ['sleep']);
    });

    test('a caller who goes away ends the command', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });

      await assert.rejects(exec(bed, container, ['sleep', '205'], { signal: AbortSignal.timeout(300) }), { kind: 'cancelled' });

      assert.deepEqual(commandsIn(bed, container).filter((command) => command === 'sleep 205'), []);
    });

    test('no time-out is no time-out', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });

      assert.equal((await exec(bed, container, ['sh', '-c', 'sleep 0.3; exit 4'], { timeoutMs: 0 })).exitCode, 4);
    });

    test('each stream is cut at the limit while the command runs to its end', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });

      const result = await exec(bed, container, ['sh', '-c', 'head -c 40000000 /dev/zero; echo short >&2; exit 5']);

      assert.equal(result.stdout.length, execOutputLimit);
      assert.equal(result.stderr.toString(), 'short\n');
      assert.equal(result.exitCode, 5);
    });

    test('output that a background process holds open does not hold up the answer', { skip: handler === 'runc' ? 'runc exec copies the output itself and waits for its end' : false }, async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });
      const began = performance.now();

      const result = await exec(bed, container, ['sh', '-c', 'sleep 206 & echo done']);

      assert.equal(result.stdout.toString(), 'done\n');
      assert.ok(performance.now() - began < 2000);
      assert.ok(commandsIn(bed, container).includes('sleep 206'), 'without a time-out it is left alone');
    });

    test('whoever holds the output open, the time-out ends the call', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });

      const [answer] = await Promise.allSettled([exec(bed, container, ['sh', '-c', 'sleep 207 & exit 0'], { timeoutMs: 700 })]);

      const left = commandsIn(bed, container).includes('sleep 207');
      assert.equal(left, answer.status === 'fulfilled', 'a call that timed out leaves nothing behind');
    });

    test('a command that cannot be started is told from one that failed', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });

      await assert.rejects(exec(bed, container, ['nope']), { kind: 'failed-precondition', message: /^exec in container t\w+: (crun|runc): .*executable file .*not found in \$PATH/ });
      assert.equal((await exec(bed, container, ['sh', '-c', 'nope'])).exitCode, 127);
    });

    test('an ended container is failed-precondition, an unknown one not-found, a missing runtime is named', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/true'] });
      await container.conmonExited;
      const lost = new OciRuntime({ name: 'lost', path: '/nowhere/lost', stateRoot: bed.dir, systemdCgroup: false, log: silentLogger });

      await assert.rejects(exec(bed, container, ['true']), { kind: 'failed-precondition' });
      await assert.rejects(exec(bed, container, ['true'], { id: 'unknown' }), { kind: 'not-found' });
      await assert.rejects(exec(bed, container, ['true'], { runtime: lost }), { kind: 'failed-precondition', message: /no program \/nowhere\/lost/ });
    });

    test('many at once do not get into each other', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });
      mkdirSync(join(bed.dir, 'scratch'));

      const results = await Promise.all(Array.from({ length: 10 }, (_, n) => exec(bed, container, ['echo', String(n)], { directory: join(bed.dir, 'scratch') })));

      assert.deepEqual(results.map((result) => result.stdout.toString()), Array.from({ length: 10 }, (_, n) => `${n}\n`));
    });
  });
}
