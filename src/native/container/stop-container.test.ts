/** Ends that do not come. No process outlives SIGKILL at a test's wish, so a stand-in does whose runtime passes every signal over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { Stages } from '../../base/stages.ts';
import { Signal } from '../../gen/cri.ts';
import { processRef } from '../../part/oci/process-ref.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';
import { stopContainer } from './stop-container.ts';

interface Seen {
  readonly deps: ContainerDeps;
  readonly record: ContainerRecord;
  /** Signals, emptied cgroups, and how long was waited, in their order. */
  readonly done: string[];
}

/** A container whose process stays, and whose every wait passes at once. */
function unkillable({ frozen, running = true }: { frozen?: string; running?: boolean } = {}): Seen {
  const done: string[] = [];
  const record = {
    id: 'c1', handler: 'crun', cgroup: { path: '/pods/p1/c1' }, bootId: 'this', process: processRef(process.pid), stopSignal: Signal.SIGNAL_SIGTERM, exit: undefined, startedAt: running ? 1n : undefined,
  } as unknown as ContainerRecord;
  const deps = {
    log: silentLogger, bootId: 'this', exitDir: '/nonexistent', killedByUs: new Set<string>(),
    records: { get: () => record },
    handlers: { of: () => ({ kill: async (_id: string, signal: string) => void done.push(`signal ${signal}`) }) },
    checkpoints: { end: async () => {} },
    exitWatch: { check: () => {} },
    exits: { wait: async (_id: string, ms: number) => void done.push(`wait ${ms}`) },
    cgroups: { frozenAbove: () => frozen, kill: async () => void done.push('empty cgroup') },
  } as unknown as ContainerDeps;
  return { deps, record, done };
}

const context = () => ({ stages: new Stages('StopContainer'), signal: new AbortController().signal });

test('a process that SIGKILL does not end is told after thirty seconds, with where to look; everything was tried', async () => {
  const { deps, record, done } = unkillable();

  await assert.rejects(stopContainer(deps, record, 5, context()), {
    kind: 'deadline-exceeded',
    message: `stop container c1: its process ${process.pid} is still there 30 s after SIGKILL: see /proc/${process.pid}/stack for what the kernel waits for`,
  });

  assert.deepEqual(done, ['signal 15', 'wait 5000', 'signal 9', 'wait 2000', 'empty cgroup', 'wait 30000']);
  assert.ok(deps.killedByUs.has('c1'), 'when it ends at last, that was no kill for want of memory');
});

test('asked again, it says the same again', async () => {
  const { deps, record } = unkillable();

  for (let time = 0; time < 2; time++) await assert.rejects(stopContainer(deps, record, 0, context()), { kind: 'deadline-exceeded' });
});

test('one in a cgroup that somebody froze is not waited for, and the cgroup is named', async () => {
  const { deps, record, done } = unkillable({ frozen: '/pods' });

  await assert.rejects(stopContainer(deps, record, 0, context()), {
    kind: 'failed-precondition',
    message: `stop container c1: cgroup /pods is frozen, and its process ${process.pid} with it: it has been sent SIGKILL and ends when that cgroup is thawed`,
  });

  assert.deepEqual(done, ['signal 9', 'wait 2000']);
});

test('a created container has nothing to say to a stop signal: it is killed at once', async () => {
  const { deps, record, done } = unkillable({ running: false });

  await assert.rejects(stopContainer(deps, record, 5, context()), { kind: 'deadline-exceeded' });

  assert.equal(done[0], 'signal 9');
});
