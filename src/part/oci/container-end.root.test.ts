/** How containers end, with real ones: exits, out of memory, a dead conmon, and the log's rotation before that. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { findProgram } from '../../host/find-program.ts';
import { kernelMessages } from '../../host/kernel-log.ts';
import { ExitWatch, readExit, unknownExitCode } from './exit-watch.ts';
import type { Exit } from './exit-watch.ts';
import { isOomVictim, wasOomKilled } from './oom-killed.ts';
import { processAlive } from './process-ref.ts';
import { reopenLog } from './reopen-log.ts';
import { RuntimeBed, eventually, logLines, missingForContainers, runtimesUnderTest } from './runtime-bed.fake.ts';
import type { MadeContainer } from './runtime-bed.fake.ts';

function watchExit(t: TestContext, bed: RuntimeBed, container: MadeContainer, known: { conmonExited: boolean }): { exit: Promise<Exit>; lost: Promise<void>; watch: ExitWatch } {
  const watch = new ExitWatch({ dir: bed.exitDir, log: silentLogger, scanMs: 50 });
  t.after(() => watch.close());
  const exit = Promise.withResolvers<Exit>();
  const lost = Promise.withResolvers<void>();
  watch.watch({
    id: container.id,
    container: container.container,
    conmon: container.conmon,
    ...(known.conmonExited ? { conmonExited: container.conmonExited } : {}),
    onExit: exit.resolve,
    onMonitorLost: lost.resolve,
  });
  return { exit: exit.promise, lost: lost.promise, watch };
}

/** The `oom_kill` counter of the container's own memory cgroup. */
function oomKills(container: MadeContainer): number {
  const v1 = `/sys/fs/cgroup/memory${container.cgroup}/memory.oom_control`;
  const text = readFileSync(existsSync(v1) ? v1 : `/sys/fs/cgroup${container.cgroup}/memory.events`, 'latin1');
  return Number(/^oom_kill (\d+)$/m.exec(text)![1]);
}

for (const handler of runtimesUnderTest) {
  describe(handler, { skip: missingForContainers(handler) ?? false }, () => {
    test('an exit is reported as it happens', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.create({ args: ['/bin/sh', '-c', 'exit 9'] });
      const { exit, watch } = watchExit(t, bed, container, { conmonExited: true });

      await bed.runtime.start(container.id);

      const seen = await exit;
      assert.equal(seen.code, 9);
      assert.ok(Math.abs(Number(seen.at / 1_000_000n) - Date.now()) < 5000);
      watch.forget(container.id);
      assert.equal(readExit(bed.exitDir, container.id), undefined);
    });

    for (const known of [{ conmonExited: true }, { conmonExited: false }]) {
      test(`a killed conmon (${known.conmonExited ? 'our child' : 'of a daemon before us'}) is told, its container runs on and ends with an unknown code`, async (t) => {
        const bed = new RuntimeBed(t, handler);
        const container = await bed.run({ args: ['/bin/sleep', '100'] });
        const { exit, lost } = watchExit(t, bed, container, known);

        process.kill(container.conmon.pid, 'SIGKILL');
        await lost;
        assert.equal(processAlive(container.container), true);
        assert.equal((await bed.runtime.state(container.id))?.status, 'running');

        await bed.runtime.kill(container.id, 'KILL');
        const { code, monitorLost } = await exit;
        assert.deepEqual({ code, monitorLost }, { code: unknownExitCode, monitorLost: true });
        await assert.rejects(
          reopenLog({ id: container.id, bundle: container.bundle, logPath: join(bed.dir, 'new.log'), conmon: container.conmon }),
          { kind: 'failed-precondition', message: `reopen log of container ${container.id}: its monitor (conmon) is not running` },
        );
      });
    }

    test('a container killed for memory is told from one that was killed', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const greedy = await bed.run({ args: ['/bin/dd', 'if=/dev/zero', 'of=/dev/null', 'bs=200M', 'count=1'], memoryLimit: 20 << 20 });
      const killed = await bed.run({ args: ['/bin/sleep', '100'], memoryLimit: 20 << 20 });
      await bed.runtime.kill(killed.id, 'KILL');
      await Promise.all([greedy.conmonExited, killed.conmonExited]);

      const evidence = (container: MadeContainer): Parameters<typeof wasOomKilled>[0] => ({ exitCode: readExit(bed.exitDir, container.id)!.code, oomKills: oomKills(container), oomKillsAround: 0, bundle: container.bundle, inKernelLog: () => isOomVictim(kernelMessages(), container.id), killedByUs: false });
      assert.deepEqual([evidence(greedy).exitCode, evidence(killed).exitCode], [137, 137]);
      assert.equal(wasOomKilled(evidence(greedy)), true);
      assert.equal(wasOomKilled(evidence(killed)), false);
      // the same once the cgroups are gone: conmon left word, and the kernel too
      assert.equal(wasOomKilled({ ...evidence(greedy), oomKills: undefined }), true);
      assert.equal(wasOomKilled({ ...evidence(killed), oomKills: undefined }), false);
      assert.equal(wasOomKilled({ ...evidence(greedy), oomKills: undefined, bundle: '/nowhere' }), true);
    });

    test('a rotated log goes on in a new file, and no line is lost', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sh', '-c', 'n=0; while :; do echo $n; n=$((n+1)); sleep 0.01; done'] });
      await eventually(() => logLines(container).length > 3);

      const rotated = `${container.logPath}.1`;
      renameSync(container.logPath, rotated);
      await reopenLog({ id: container.id, bundle: container.bundle, logPath: container.logPath, conmon: container.conmon });

      assert.equal(existsSync(container.logPath), true, 'it is there when the call returns');
      const before = logLines({ ...container, logPath: rotated }).length;
      await eventually(() => logLines(container).length > 3);
      assert.equal(logLines({ ...container, logPath: rotated }).length, before);
      const all = [...logLines({ ...container, logPath: rotated }), ...logLines(container)];
      assert.deepEqual(all, all.map((_, n) => `stdout F ${n}`));
    });

    test('a log that was not rotated is left as it is', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sh', '-c', 'echo precious; sleep 100'] });
      await eventually(() => logLines(container).length === 1);

      await reopenLog({ id: container.id, bundle: container.bundle, logPath: container.logPath, conmon: container.conmon });

      assert.deepEqual(logLines(container), ['stdout F precious']);
    });

    test('a log whose directory is gone is refused, and conmon survives it', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const directory = join(bed.dir, 'logs');
      mkdirSync(directory);
      const logPath = join(directory, '0.log');
      const container = await bed.run({ args: ['/bin/sleep', '100'], request: { logPath } });
      rmSync(directory, { recursive: true });

      await assert.rejects(reopenLog({ id: container.id, bundle: container.bundle, logPath, conmon: container.conmon }), { kind: 'failed-precondition', message: /no directory/ });

      assert.equal(processAlive(container.conmon), true);
    });

    test('another file in the place of the log is replaced', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sh', '-c', 'while :; do echo x; sleep 0.02; done'] });
      renameSync(container.logPath, `${container.logPath}.1`);
      writeFileSync(container.logPath, '');

      await reopenLog({ id: container.id, bundle: container.bundle, logPath: container.logPath, conmon: container.conmon });

      await eventually(() => logLines(container).length > 1);
    });

    test('an infra process collects orphans without a log, and SIGKILL ends it', { skip: findProgram('catatonit') === undefined ? 'needs catatonit' : false }, async (t) => {
      const bed = new RuntimeBed(t, handler);
      const pause = findProgram('catatonit')!;
      writeFileSync(join(bed.rootfs, 'pause'), '');
      const container = await bed.create({
        infra: true,
        args: ['/pause', '-P'],
        mounts: [{ destination: '/pause', type: 'bind', source: pause, options: ['bind', 'ro'] }],
      });
      await bed.runtime.start(container.id);
      assert.equal(existsSync(container.logPath), false);
      assert.equal(processAlive(container.container), true);

      await bed.runtime.kill(container.id, 'KILL');
      await container.conmonExited;

      assert.equal(readExit(bed.exitDir, container.id)?.code, 137);
    });
  });
}
