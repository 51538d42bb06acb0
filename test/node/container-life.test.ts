/** From created to removed: states, exit codes, stopping with and without patience, running out of memory. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { ContainerState, NamespaceMode, Signal } from '../../src/gen/cri.ts';
import { busyboxImage, pushImage } from '../support/image.ts';
import { patience } from '../support/patience.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const pod = await node.runPod();

const seconds = (nanoseconds: bigint): number => Number(nanoseconds) / 1e9;

/** Ends with 7 at SIGTERM; says so in its log once it can. */
const endsAtTerm = "trap 'exit 7' TERM; echo ready; while true; do sleep 0.1; done";
const ignoresTerm = "trap '' TERM; echo ready; while true; do sleep 0.1; done";

async function runReady(script: string, signal?: Signal): Promise<string> {
  const id = await node.runContainer(pod, { script, config: signal === undefined ? {} : { stopSignal: signal } });
  await eventually(async () => assert.equal((await node.log(id))[0]?.text, 'ready'));
  return id;
}

test('a container is created, runs and ends: states, times and reason say so', async () => {
  const id = await node.createContainer(pod, { script: 'sleep 0.2' });
  const created = await node.statusOf(id);
  assert.equal(created.state, ContainerState.CONTAINER_CREATED);
  assert.ok(created.createdAt > 0n && created.startedAt === 0n && created.finishedAt === 0n);

  await node.client.startContainer({ containerId: id });
  assert.equal((await node.statusOf(id)).state, ContainerState.CONTAINER_RUNNING);

  const ended = await node.ended(id);
  assert.equal(ended.exitCode, 0);
  assert.equal(ended.reason, 'Completed');
  assert.ok(ended.createdAt <= ended.startedAt && ended.startedAt < ended.finishedAt);
  assert.ok(Math.abs(Date.now() / 1000 - seconds(ended.finishedAt)) < 10);
});

for (const code of [1, 42, 255]) {
  test(`the exit code ${code} arrives as it is`, async () => {
    const ended = await node.ended(await node.runContainer(pod, { script: `exit ${code}` }));

    assert.equal(ended.exitCode, code);
    assert.equal(ended.reason, 'Error');
  });
}

test('a process that a signal ended has the exit code 128 and the number of the signal', async () => {
  // Process 1 of a PID namespace does not heed such a signal, so this one is not process 1.
  const shared = await node.runPod({ namespaces: { pid: NamespaceMode.POD } });

  const ended = await node.ended(await node.runContainer(shared, { script: 'kill -ALRM $$; sleep 60' }));

  assert.equal(ended.exitCode, 142);
});

test('stop asks with SIGTERM, and what handles it ends with a code of its own', async () => {
  const id = await runReady(endsAtTerm);

  await node.client.stopContainer({ containerId: id, timeout: 30n });

  const { exitCode, state } = await node.statusOf(id);
  assert.deepEqual([state, exitCode], [ContainerState.CONTAINER_EXITED, 7]);
});

test('what ignores SIGTERM is killed when the grace is over, not before', async () => {
  const id = await runReady(ignoresTerm);
  const began = Date.now();

  await node.client.stopContainer({ containerId: id, timeout: 1n });

  const took = Date.now() - began;
  assert.ok(took >= 1000 && took < 6000, `it took ${took} ms`);
  assert.equal((await node.statusOf(id)).exitCode, 137);
});

test('stop without grace kills at once', async () => {
  const id = await runReady(endsAtTerm);

  await node.client.stopContainer({ containerId: id, timeout: 0n });

  assert.equal((await node.statusOf(id)).exitCode, 137);
});

test('a second, less patient stop cuts the first one short, and both succeed', async () => {
  const id = await runReady(ignoresTerm);
  const began = Date.now();

  const patient = node.client.stopContainer({ containerId: id, timeout: 60n });
  await node.client.stopContainer({ containerId: id, timeout: 1n });
  await patient;

  assert.ok(Date.now() - began < 10_000 * patience);
  assert.equal((await node.statusOf(id)).exitCode, 137);
});

test("a stop whose caller goes away is heard all the same, and leaves the container its grace", async () => {
  const id = await runReady(ignoresTerm);

  await assertFails(node.client.stopContainer({ containerId: id, timeout: 60n }, { deadlineMs: 500 }), status.DEADLINE_EXCEEDED, /./);

  assert.equal((await node.statusOf(id)).state, ContainerState.CONTAINER_RUNNING);
});

test('the stop signal of the container, or else of its image, is the one that is sent', async () => {
  const image = await pushImage(node.registry, 'test/usr1:1', busyboxImage({ config: { StopSignal: 'SIGUSR1' } }));
  await node.pull(image);
  const script = "trap 'exit 10' USR1; trap 'exit 12' USR2; trap 'exit 15' TERM; echo ready; while true; do sleep 0.1; done";
  const byImage = await node.runContainer(pod, { script, image });
  const byContainer = await node.runContainer(pod, { script, image, config: { stopSignal: Signal.SIGNAL_SIGUSR2 } });
  for (const id of [byImage, byContainer]) await eventually(async () => assert.equal((await node.log(id))[0]?.text, 'ready'));

  for (const id of [byImage, byContainer]) await node.client.stopContainer({ containerId: id, timeout: 30n });

  assert.equal((await node.statusOf(byImage)).exitCode, 10);
  assert.equal((await node.statusOf(byContainer)).exitCode, 12);
  assert.equal((await node.statusOf(byImage)).stopSignal, Signal.SIGNAL_SIGUSR1);
});

test('a created container that is stopped has exited and cannot be started any more', async () => {
  const id = await node.createContainer(pod);

  await node.client.stopContainer({ containerId: id, timeout: 10n });

  assert.equal((await node.statusOf(id)).state, ContainerState.CONTAINER_EXITED);
  await assertFails(node.client.startContainer({ containerId: id }), status.FAILED_PRECONDITION, /it is exited, and only a created one can be started/);
});

test('a running container is removed in one call, process and all', async () => {
  const id = await node.runContainer(pod);
  const { pid } = await processOf(id);

  await node.client.removeContainer({ containerId: id });

  await assertFails(node.client.containerStatus({ containerId: id }), status.NOT_FOUND, /no such container/);
  assert.ok(!isRunning(pid));
});

test('stopping the pod kills its containers, which are then still there to be looked at', async () => {
  const other = await node.runPod();
  const ids = [await node.runContainer(other), await node.runContainer(other)];

  await node.client.stopPodSandbox({ podSandboxId: other.id });

  for (const id of ids) {
    const { state, exitCode, reason } = await node.statusOf(id);
    assert.deepEqual({ state, exitCode, reason }, { state: ContainerState.CONTAINER_EXITED, exitCode: 137, reason: 'Error' });
  }
  await assertFails(node.createContainer(other), status.FAILED_PRECONDITION, /the pod is not ready/);
});

test('a container that runs out of memory says so', async () => {
  await node.runContainer(pod); // keeps the pod's cgroup, as the kubelet does
  const id = await node.runContainer(pod, { script: 'tail /dev/zero', resources: { memoryLimitInBytes: 32n << 20n } });

  const ended = await node.ended(id, 60_000);

  assert.equal(ended.reason, 'OOMKilled');
  assert.equal(ended.exitCode, 137);
});

test('one that is killed for other reasons does not', async () => {
  const id = await node.runContainer(pod, { resources: { memoryLimitInBytes: 32n << 20n } });
  const { pid } = await processOf(id);

  process.kill(pid, 'SIGKILL');

  const ended = await node.ended(id);
  assert.deepEqual([ended.reason, ended.exitCode], ['Error', 137]);
});

test('a program that is not there fails the creation or the start with the words of the runtime, and is gone after removal', async () => {
  const config = node.containerConfig(pod, { command: ['/bin/no-such-program'] });
  const attempt = async (): Promise<void> => {
    const { containerId } = await node.client.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
    try {
      await node.client.startContainer({ containerId });
    } finally {
      await node.client.removeContainer({ containerId });
    }
  };

  await assertFails(attempt(), status.FAILED_PRECONDITION, /(create|start) container.*no-such-program/);
});

test('of all these containers nothing is left once the pods are removed', () => assertRemovalLeavesNothing(node.daemon));

async function processOf(containerId: string): Promise<{ pid: number }> {
  const { info } = await node.client.containerStatus({ containerId, verbose: true });
  return JSON.parse(info['info'] ?? '{}') as { pid: number };
}

/** A killed process that its parent has not collected yet (a zombie) does not run. */
function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}
