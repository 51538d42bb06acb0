/** Containers outlive the daemon, however it ends, and the next one knows what became of them. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { ContainerState, Mount, NamespaceMode, PodSandboxState } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { assertFails, eventually, startWorkload, type WorkloadPod } from '../support/workload.ts';
import { assertNoTraces, assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const { daemon, client } = node;

/** A folder of the node's that containers see as /signal: a file in it tells them to go on. */
const signals = { mounts: [message(Mount, { hostPath: daemon.paths.dir, containerPath: '/signal' })] };
const signal = (name: string): void => writeFileSync(path.join(daemon.paths.dir, name), '');
const waitFor = (name: string): string => `while [ ! -e /signal/${name} ]; do sleep 0.05; done`;

async function pidOf(containerId: string): Promise<number> {
  const { info } = await client.containerStatus({ containerId, verbose: true });
  return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
}

test('after kill -9 the states and exit codes of ten containers are true, half of which ended meanwhile', async () => {
  const pod = await node.runPod();
  const script = (code: number): string => `i=0; while [ ! -e /signal/end ] || [ ${code} = 0 ]; do i=$((i + 1)); echo $i; sleep 0.05; done; echo last; exit ${code}`;
  const containers = await Promise.all(Array.from({ length: 10 }, async (_, n) => {
    const code = n % 2 === 0 ? 0 : 10 + n; // 0: goes on
    return { code, id: await node.runContainer(pod, { script: script(code), config: signals }) };
  }));
  const pids = new Map(await Promise.all(containers.map(async ({ id }) => [id, await pidOf(id)] as const)));

  await daemon.kill9();
  signal('end');
  await eventually(() => assert.ok(containers.every(({ id, code }) => code === 0 || !existsSync(`/proc/${pids.get(id)}/cwd`))));
  await sleep(1000); // conmon notes the end a moment after the process is gone
  const before = Date.now();
  await daemon.restart();

  for (const { id, code } of containers) {
    const of = await node.statusOf(id);
    if (code === 0) {
      assert.equal(of.state, ContainerState.CONTAINER_RUNNING);
      continue;
    }
    assert.deepEqual([of.state, of.exitCode, of.reason], [ContainerState.CONTAINER_EXITED, code, 'Error']);
    assert.ok(of.finishedAt > of.startedAt && of.finishedAt / 1_000_000n <= before, 'the time of its end, not of ours');
    assert.equal((await node.log(id)).at(-1)?.text, 'last');
  }
  assert.equal((await client.podSandboxStatus({ podSandboxId: pod.id })).status?.state, PodSandboxState.SANDBOX_READY);
});

test('after kill -9 a running container goes on as before: log, exec, rotation, stop and its code', async () => {
  const pod = await node.runPod();
  const script = `trap 'exit 7' TERM; i=0; while true; do i=$((i + 1)); echo $i; sleep 0.05; done`;
  const id = await node.runContainer(pod, { script });
  const created = await node.statusOf(id);

  await daemon.kill9();
  await daemon.restart();

  assert.deepEqual(await node.statusOf(id), created);
  assert.equal(await node.sh(id, 'echo inside'), 'inside');
  const lines = (await node.log(id)).length;
  await eventually(async () => assert.ok((await node.log(id)).length > lines + 3));
  await client.reopenContainerLog({ containerId: id });
  await client.stopContainer({ containerId: id, timeout: 30n });
  assert.equal((await node.statusOf(id)).exitCode, 7);
  const numbers = (await node.log(id)).map(({ text }) => Number(text));
  assert.deepEqual(numbers, numbers.map((_, index) => index + 1));
});

test('SIGTERM leaves the containers running', async () => {
  const pod = await node.runPod();
  const id = await node.runContainer(pod);
  const pid = await pidOf(id);

  await daemon.stop();

  assert.ok(existsSync(`/proc/${pid}/cwd`));
  await daemon.restart();
  assert.equal((await node.statusOf(id)).state, ContainerState.CONTAINER_RUNNING);
  assert.equal(await pidOf(id), pid);
});

test('a container that was killed from outside while nobody looked has its code', async () => {
  const pod = await node.runPod();
  const id = await node.runContainer(pod);
  const pid = await pidOf(id);

  await daemon.kill9();
  process.kill(pid, 'SIGKILL');
  await daemon.restart();

  const ended = await node.ended(id);
  assert.deepEqual([ended.exitCode, ended.reason], [137, 'Error']);
});

test('a container whose monitor died too is found ended, with reason Unknown', async () => {
  const pod = await node.runPod();
  const id = await node.runContainer(pod);
  const pid = await pidOf(id);
  const monitor = monitorOf(pid);

  await daemon.kill9();
  process.kill(monitor, 'SIGKILL');
  process.kill(pid, 'SIGKILL');
  await daemon.restart();

  const ended = await node.ended(id);
  assert.deepEqual([ended.exitCode, ended.reason], [255, 'Unknown']);
  assert.match(ended.message, /its exit code is not known/);
});

test('a container that lost its monitor can still be used and stopped', async () => {
  const pod = await node.runPod();
  const id = await node.runContainer(pod);
  const monitor = monitorOf(await pidOf(id));

  process.kill(monitor, 'SIGKILL');

  assert.equal(await node.sh(id, 'echo inside'), 'inside');
  await client.stopContainer({ containerId: id, timeout: 0n });
  const { state, reason, message: why } = await node.statusOf(id);
  assert.deepEqual([state, reason, why], [ContainerState.CONTAINER_EXITED, 'Unknown', 'its exit code is not known: its monitor (conmon) was gone before it ended']);
});

test('a created container can be started after a restart', async () => {
  const pod = await node.runPod();
  const id = await node.createContainer(pod, { script: 'exit 5' });

  await daemon.kill9();
  await daemon.restart();
  await client.startContainer({ containerId: id });

  assert.equal((await node.ended(id)).exitCode, 5);
});

test('a call made again after a restart gets the result of the first: pod and container', async () => {
  const pod = await node.runPod();
  const config = node.containerConfig(pod, {});
  const creating = { podSandboxId: pod.id, config, sandboxConfig: pod.config };
  const { containerId } = await client.createContainer(creating);

  await daemon.kill9();
  await daemon.restart();

  assert.equal((await client.runPodSandbox({ config: pod.config })).podSandboxId, pod.id);
  assert.equal((await client.createContainer(creating)).containerId, containerId);
});

test('the namespaces of pods survive: new containers join old ones', async () => {
  const [own, shared] = [await node.runPod(), await node.runPod({ namespaces: { pid: NamespaceMode.POD } })];
  const before = await namespacesIn(own);
  const first = await node.runContainer(shared, { command: ['sleep', '10001'] });

  await daemon.kill9();
  await daemon.restart();

  assert.deepEqual(await namespacesIn(own), before);
  const second = await node.runContainer(shared);
  assert.match(await node.sh(second, 'cat /proc/[0-9]*/cmdline'), /10001/);
  assert.equal(await node.sh(second, 'readlink /proc/self/ns/net'), await node.sh(first, 'readlink /proc/self/ns/net'));
});

test('a stop that a crash cut short can be made again', async () => {
  const pod = await node.runPod();
  const id = await node.runContainer(pod, { script: `trap '' TERM; ${waitFor('never')}`, config: signals });
  const stopping = assertFails(client.stopContainer({ containerId: id, timeout: 60n }), status.UNAVAILABLE, /./);

  await daemon.kill9();
  await stopping;
  await daemon.restart();

  assert.equal((await node.statusOf(id)).state, ContainerState.CONTAINER_RUNNING);
  await client.stopContainer({ containerId: id, timeout: 0n });
  assert.equal((await node.statusOf(id)).exitCode, 137);
});

test('pods can be removed by the daemon after the one that made them', async () => {
  await daemon.kill9();
  await daemon.restart();

  await assertRemovalLeavesNothing(daemon);
});

test('a restarted daemon without pods leaves nothing of itself in the way', async () => {
  await daemon.restart();

  await assertNoTraces(daemon);
});

async function namespacesIn(pod: WorkloadPod): Promise<string> {
  const id = await node.runContainer(pod);
  return node.sh(id, 'for kind in net ipc uts; do readlink /proc/self/ns/$kind; done');
}

/** The container's monitor: conmon is its parent. */
function monitorOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}
