/** What containers and pods use, what they may use, and the lists that tell it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { ClientReadableStream } from '@grpc/grpc-js';
import { ContainerStatsFilter, LinuxContainerResources, PodSandboxStatsFilter } from '../../src/gen/cri.ts';
import { cgroupValue as valueOf } from '../support/cgroup-files.ts';
import { message } from '../support/cri-messages.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const mebibyte = 1n << 20n;

const statsOf = async (containerId: string) => (await node.client.containerStats({ containerId })).stats!;
const podStatsOf = async (podSandboxId: string) => (await node.client.podSandboxStats({ podSandboxId })).stats!;
const ms = (nanoseconds: bigint | undefined): number => Number(nanoseconds ?? 0n) / 1e6;

async function everything<T>(stream: ClientReadableStream<T>): Promise<T[]> {
  const messages: T[] = [];
  for await (const one of stream) messages.push(one as T);
  return messages;
}

const cgroupValue = (id: string, v1: string, v2: string): Promise<string> => valueOf(node.client, id, v1, v2);

test('what a container burns is counted, for it and for its pod, and for nobody else', async () => {
  const pod = await node.runPod();
  const busy = await node.runContainer(pod, { script: 'i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; echo done; sleep 60' });
  const idle = await node.runContainer(pod);
  await eventually(async () => assert.equal((await node.log(busy))[0]?.text, 'done'), 60_000);

  const [ofBusy, ofIdle, ofPod] = [await statsOf(busy), await statsOf(idle), await podStatsOf(pod.id)];

  const burnt = ms(ofBusy.cpu?.usageCoreNanoSeconds?.value);
  assert.ok(burnt > 50 && burnt < 60_000, `${burnt} ms`);
  assert.ok(ms(ofIdle.cpu?.usageCoreNanoSeconds?.value) < burnt);
  assert.ok(ms(ofPod.linux?.cpu?.usageCoreNanoSeconds?.value) >= burnt);
  assert.deepEqual(new Set(ofPod.linux?.containers.map(({ attributes }) => attributes?.id)), new Set([busy, idle]));
});

test('the rate of processor use appears with the second look', async () => {
  const id = await node.runContainer(await node.runPod(), { script: 'while true; do :; done' });
  await statsOf(id);

  const rate = await eventually(async () => {
    const { value = 0n } = (await statsOf(id)).cpu?.usageNanoCores ?? {};
    assert.ok(value > 50_000_000n, `${value} nano-cores of a container that never rests`);
    return value;
  });

  assert.ok(rate < 4_000_000_000n, `${rate} nano-cores of a single thread`);
  await node.client.stopContainer({ containerId: id, timeout: 0n });
});

test('memory and processes are counted', async () => {
  const pod = await node.runPod();
  const id = await node.runContainer(pod, { script: 'x=$(head -c 20000000 /dev/zero | tr "\\0" x); sleep 600 & sleep 600 & echo ready; wait', resources: { memoryLimitInBytes: 256n * mebibyte } });
  await eventually(async () => assert.equal((await node.log(id))[0]?.text, 'ready'), 30_000);

  const { memory } = await statsOf(id);
  const ofPod = await podStatsOf(pod.id);

  const workingSet = memory?.workingSetBytes?.value ?? 0n;
  assert.ok(workingSet > 18n * mebibyte && workingSet < 256n * mebibyte, `${workingSet} bytes`);
  assert.equal(memory?.availableBytes?.value, 256n * mebibyte - workingSet);
  assert.ok((memory?.usageBytes?.value ?? 0n) >= workingSet);
  assert.ok((ofPod.linux?.memory?.workingSetBytes?.value ?? 0n) > 18n * mebibyte);
  assert.equal(ofPod.linux?.process?.processCount?.value, 3n);
});

test('what a container writes into its root is counted in bytes and inodes', async () => {
  const pod = await node.runPod();
  const [writer, idle] = [await node.runContainer(pod), await node.runContainer(pod)];

  await node.sh(writer, 'dd if=/dev/zero of=/big bs=1M count=5; mkdir /dir; ln /big /dir/again');

  // Measured in the background: the first answer may come before the first figure.
  const measured = (id: string) => eventually(async () => {
    const { writableLayer } = await statsOf(id);
    const [bytes = 0n, inodes = 0n] = [writableLayer?.usedBytes?.value, writableLayer?.inodesUsed?.value];
    assert.ok(inodes > 0n);
    return { bytes, inodes };
  });
  const [written, untouched] = [await measured(writer), await measured(idle)];
  assert.equal(written.inodes - untouched.inodes, 2n, 'a file, however many names it has, and a folder');
  assert.ok(written.bytes - untouched.bytes >= 5n * mebibyte && written.bytes < 6n * mebibyte, `${written.bytes} bytes`);
  const { containerFilesystems } = await node.client.imageFsInfo();
  assert.ok((containerFilesystems[0]?.usedBytes?.value ?? 0n) >= 5n * mebibyte);
});

test("the traffic of a pod's interface is counted", async () => {
  const [pod, other] = [await node.runPod(), await node.runPod()];
  await node.runContainer(pod, { script: 'head -c 200000 /dev/zero > /tmp/page; httpd -f -p 80 -h /tmp' });
  const reader = await node.runContainer(other);
  const address = await node.addressOf(pod);

  await eventually(async () => {
    const size = await node.sh(reader, `printf 'GET /page HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${address} 80 | wc -c`);
    assert.ok(Number(size) > 200_000, size);
  });

  const [sent, received] = [(await podStatsOf(pod.id)).linux?.network, (await podStatsOf(other.id)).linux?.network];
  assert.equal(sent?.defaultInterface?.name, 'eth0');
  assert.ok((sent?.defaultInterface?.txBytes?.value ?? 0n) > 200_000n);
  assert.ok((received?.defaultInterface?.rxBytes?.value ?? 0n) > 200_000n);
});

test('a container that does not run has its writable layer to show and nothing else', async () => {
  const pod = await node.runPod();
  const id = await node.runContainer(pod, { script: 'true' });
  await node.ended(id);

  const { cpu, memory, writableLayer, attributes } = await statsOf(id);

  assert.deepEqual([cpu, memory, attributes?.id], [undefined, undefined, id]);
  assert.ok(writableLayer);
  const { stats } = await node.client.listContainerStats({ filter: message(ContainerStatsFilter, { podSandboxId: pod.id }) });
  assert.deepEqual(stats, []);
});

test('stats are found by id, prefix, pod and label', async () => {
  const pod = await node.runPod({ config: { labels: { app: 'counted' } } });
  const [one, two] = [await node.runContainer(pod, { config: { labels: { tier: 'front' } } }), await node.runContainer(pod)];
  const containers = async (filter: Partial<ContainerStatsFilter>) => (await node.client.listContainerStats({ filter: message(ContainerStatsFilter, filter) })).stats.map(({ attributes }) => attributes?.id);
  const pods = async (filter: Partial<PodSandboxStatsFilter>) => (await node.client.listPodSandboxStats({ filter: message(PodSandboxStatsFilter, filter) })).stats.map(({ attributes }) => attributes?.id);

  assert.deepEqual(await containers({ id: one }), [one]);
  assert.deepEqual(await containers({ id: two.slice(0, 20) }), [two]);
  assert.deepEqual(new Set(await containers({ podSandboxId: pod.id })), new Set([one, two]));
  assert.deepEqual(await containers({ labelSelector: { tier: 'front' } }), [one]);
  assert.deepEqual(await pods({ labelSelector: { app: 'counted' } }), [pod.id]);
  assert.deepEqual(await pods({ id: pod.id.slice(0, 20) }), [pod.id]);
  assert.deepEqual(await pods({ id: 'f'.repeat(64) }), []);
});

test('limits that a container is made with are in its cgroup and in its status', async () => {
  const resources = { memoryLimitInBytes: 64n * mebibyte, cpuShares: 512n, cpuPeriod: 100_000n, cpuQuota: 50_000n };

  const id = await node.runContainer(await node.runPod(), { resources });

  assert.equal(await cgroupValue(id, 'memory.limit_in_bytes', 'memory.max'), String(64n * mebibyte));
  assert.match(await cgroupValue(id, 'cpu.cfs_quota_us', 'cpu.max'), /^50000/);
  assert.deepEqual((await node.statusOf(id)).resources?.linux, message(LinuxContainerResources, resources));
});

test('limits can be changed while it runs: those that are named, and no others', async () => {
  const id = await node.runContainer(await node.runPod(), { resources: { memoryLimitInBytes: 64n * mebibyte, cpuShares: 512n } });

  await node.client.updateContainerResources({ containerId: id, linux: message(LinuxContainerResources, { memoryLimitInBytes: 96n * mebibyte, cpuPeriod: 100_000n, cpuQuota: 20_000n }) });

  assert.equal(await cgroupValue(id, 'memory.limit_in_bytes', 'memory.max'), String(96n * mebibyte));
  assert.match(await cgroupValue(id, 'cpu.cfs_quota_us', 'cpu.max'), /^20000/);
  const { resources } = await node.statusOf(id);
  assert.deepEqual([resources?.linux?.memoryLimitInBytes, resources?.linux?.cpuQuota, resources?.linux?.cpuShares], [96n * mebibyte, 20_000n, 512n]);
});

test('limits of a created container can be changed, of an exited one they cannot', async () => {
  const pod = await node.runPod();
  const created = await node.createContainer(pod);
  const exited = await node.runContainer(pod, { script: 'true' });
  await node.ended(exited);
  const linux = message(LinuxContainerResources, { memoryLimitInBytes: 96n * mebibyte });

  await node.client.updateContainerResources({ containerId: created, linux });

  assert.equal(await cgroupValue(created, 'memory.limit_in_bytes', 'memory.max'), String(96n * mebibyte));
  await assertFails(node.client.updateContainerResources({ containerId: exited, linux }), status.FAILED_PRECONDITION, /update resources of container [0-9a-f]{64}: it has exited/);
});

test('the streamed lists are the lists', async () => {
  await node.runContainer(await node.runPod());

  const [pods, containers, images] = await Promise.all([node.client.listPodSandbox(), node.client.listContainers(), node.client.listImages()]);

  assert.deepEqual((await everything(node.client.streamPodSandboxes())).flatMap(({ podSandboxes }) => podSandboxes), pods.items);
  assert.deepEqual((await everything(node.client.streamContainers())).flatMap(({ containers: some }) => some), containers.containers);
  assert.deepEqual((await everything(node.client.streamImages())).flatMap(({ images: some }) => some), images.images);
  const idsOf = (stats: { attributes: { id: string } | undefined }[]): (string | undefined)[] => stats.map(({ attributes }) => attributes?.id);
  assert.deepEqual(idsOf((await everything(node.client.streamContainerStats())).flatMap(({ containerStats }) => containerStats)), idsOf((await node.client.listContainerStats()).stats));
  assert.deepEqual(idsOf((await everything(node.client.streamPodSandboxStats())).flatMap(({ podSandboxStats }) => podSandboxStats)), idsOf((await node.client.listPodSandboxStats()).stats));
});

test('a verbose status tells what a plain one does not: process, namespaces, configuration; and no secrets', async () => {
  const pod = await node.runPod();
  const id = await node.runContainer(pod, { config: { envs: [{ key: 'PASSWORD', value: Buffer.from('hunter2') }] } });

  const [plain, verbose] = [await node.client.containerStatus({ containerId: id }), await node.client.containerStatus({ containerId: id, verbose: true })];
  const ofPod = await node.client.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
  const ofNode = await node.client.status({ verbose: true });

  assert.deepEqual([plain.info, plain.status], [{}, verbose.status]);
  const info = JSON.parse(verbose.info['info'] ?? '') as { pid: number; sandboxID: string; runtimeSpec: { process: { args: string[] } } };
  assert.deepEqual([info.sandboxID, info.runtimeSpec.process.args], [pod.id, ['sleep', '86399']]);
  assert.match(readFileSync(`/proc/${info.pid}/cmdline`, 'utf8'), /^sleep/);
  assert.doesNotMatch(JSON.stringify(verbose.info), /hunter2/);
  assert.match(ofPod.info['info'] ?? '', /ns\/net/);
  assert.deepEqual(Object.keys(ofNode.info).sort(), ['abandoned', 'cdi', 'checkpoint', 'cniconfig', 'config', 'hooks', 'host', 'lastCNILoadStatus', 'runtimes', 'snapshotter', 'writableLayers']);
});

test('the pod status has the statuses of its containers', async () => {
  const pod = await node.runPod();
  const id = await node.runContainer(pod);

  const { containersStatuses, timestamp } = await node.client.podSandboxStatus({ podSandboxId: pod.id });

  assert.deepEqual(containersStatuses, [await node.statusOf(id)]);
  assert.ok(Math.abs(Date.now() - ms(timestamp)) < 10_000);
});

test('the node says what it is: ready, its handlers and its cgroup driver', async () => {
  const { status: condition, runtimeHandlers, features } = await node.client.status();
  const { linux } = await node.client.runtimeConfig();

  assert.deepEqual(condition?.conditions.map(({ type, status: good }) => [type, good]), [['RuntimeReady', true], ['NetworkReady', true]]);
  assert.ok(['', process.env.RUNTIME ?? 'crun'].every((name) => runtimeHandlers.some((handler) => handler.name === name)));
  assert.equal(features?.supplementalGroupsPolicy, true);
  assert.notEqual(linux, undefined);
});

test('of all these containers nothing is left once the pods are removed', () => assertRemovalLeavesNothing(node.daemon));
