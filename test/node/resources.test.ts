/** Limits: those that containers are made with, those that are changed, and changes that are refused. Proven by cgroup files and from inside. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { ContainerState, LinuxContainerResources, NamespaceMode, WindowsContainerResources } from '../../src/gen/cri.ts';
import { allLimits, cgroupPath, cgroupValue, onCgroup2 } from '../support/cgroup-files.ts';
import { message } from '../support/cri-messages.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'gantry-resources-'));
const classes = path.join(folder, 'blockio.yaml');
const node = await startWorkload({ env: { GANTRY_CGROUP_BLOCKIO_CONFIG_FILE: classes } });
after(async () => {
  await node.stop();
  rmSync(folder, { recursive: true });
});

const mebibyte = 1n << 20n;
const limits = (fields: Partial<LinuxContainerResources>): LinuxContainerResources => message(LinuxContainerResources, fields);
const update = (containerId: string, fields: Partial<LinuxContainerResources>) => node.client.updateContainerResources({ containerId, linux: limits(fields) });
const value = (id: string, v1: string, v2: string): Promise<string> => cgroupValue(node.client, id, v1, v2);
const memoryLimit = (id: string): Promise<string> => value(id, 'memory.limit_in_bytes', 'memory.max');
const echoed = async (id: string): Promise<LinuxContainerResources | undefined> => (await node.statusOf(id)).resources?.linux;

async function infoOf(containerId: string): Promise<{ pid: number; resourceAnnotations: Record<string, string> }> {
  const { info } = await node.client.containerStatus({ containerId, verbose: true });
  return JSON.parse(info['info'] ?? '{}');
}

/** The change is refused, and afterwards every limit is what it was, in the kernel and in the status. */
async function refusedUnchanged(id: string, fields: Partial<LinuxContainerResources>, code: status, pattern: RegExp): Promise<void> {
  const [kernel, told] = [await allLimits(node.client, id), await echoed(id)];

  await assertFails(update(id, fields), code, pattern);

  assert.deepEqual(await allLimits(node.client, id), kernel);
  assert.deepEqual(await echoed(id), told);
}

test('the limits that a container is made with hold, seen from the host and from inside', async () => {
  const resources = { cpuShares: 512n, cpuPeriod: 50_000n, cpuQuota: 25_000n, cpusetCpus: '0', cpusetMems: '0', memoryLimitInBytes: 64n * mebibyte, oomScoreAdj: 500n };

  const id = await node.runContainer(await node.runPod(), { resources });

  assert.equal(await memoryLimit(id), String(64n * mebibyte));
  assert.equal(await value(id, 'cpu.cfs_quota_us', 'cpu.max'), onCgroup2 ? '25000 50000' : '25000');
  if (!onCgroup2) assert.equal(await value(id, 'cpu.cfs_period_us', ''), '50000');
  assert.equal(await value(id, 'cpu.shares', 'cpu.weight'), onCgroup2 ? '20' : '512');
  assert.equal(await value(id, 'cpuset.cpus', 'cpuset.cpus'), '0');
  assert.equal(await node.sh(id, 'sed -n "s/^Cpus_allowed_list:.//p" /proc/1/status'), '0');
  assert.equal(await node.sh(id, 'cat /proc/1/oom_score_adj'), '500');
  assert.deepEqual(await echoed(id), limits(resources));
});

test('a container that takes more memory than its limit is killed, and its status says why', async () => {
  const pod = await node.runPod();
  await node.runContainer(pod); // keeps the pod's cgroup, as the kubelet does
  const id = await node.runContainer(pod, { script: 'x=$(head -c 60000000 /dev/zero | tr "\\0" x); sleep 60', resources: { memoryLimitInBytes: 32n * mebibyte } });

  const { reason, exitCode } = await node.ended(id, 60_000);

  assert.deepEqual([reason, exitCode], ['OOMKilled', 137]);
});

test('a container with a quota gets no more of the processor than that', async () => {
  const id = await node.runContainer(await node.runPod(), { script: 'while true; do :; done', resources: { cpuPeriod: 100_000n, cpuQuota: 10_000n } });

  await eventually(async () => {
    const stat = await value(id, 'cpu.stat', 'cpu.stat');
    assert.ok(Number(/nr_throttled (\d+)/.exec(stat)?.[1]) >= 5, stat);
  }, 30_000);

  await node.client.stopContainer({ containerId: id, timeout: 0n });
});

test('swap: none with a memory limit alone, and as much as is said', async (t) => {
  const pod = await node.runPod();
  const none = await node.runContainer(pod, { resources: { memoryLimitInBytes: 64n * mebibyte } });
  const cgroup = await cgroupPath(node.client, none);
  if (!existsSync(onCgroup2 ? `/sys/fs/cgroup${cgroup}/memory.swap.max` : `/sys/fs/cgroup/memory${cgroup}/memory.memsw.limit_in_bytes`)) return t.skip('this kernel does not account for swap');
  const some = await node.runContainer(pod, { resources: { memoryLimitInBytes: 64n * mebibyte, memorySwapLimitInBytes: 80n * mebibyte } });
  const any = await node.runContainer(pod, { resources: { memoryLimitInBytes: 64n * mebibyte, memorySwapLimitInBytes: -1n } });
  const swap = (id: string): Promise<string> => value(id, 'memory.memsw.limit_in_bytes', 'memory.swap.max');
  const expected = (memory: bigint, extra: bigint): string => String(onCgroup2 ? extra : memory + extra);

  assert.equal(await swap(none), expected(64n * mebibyte, 0n));
  assert.equal(await swap(some), expected(64n * mebibyte, 16n * mebibyte));
  assert.match(await swap(any), onCgroup2 ? /^max$/ : /^9223372036854771712$/);

  await update(some, { memoryLimitInBytes: 96n * mebibyte });
  await update(none, { memoryLimitInBytes: 96n * mebibyte });

  assert.equal(await swap(some), expected(96n * mebibyte, 16n * mebibyte));
  assert.equal(await swap(none), expected(96n * mebibyte, 0n));
  assert.equal((await echoed(some))?.memorySwapLimitInBytes, 112n * mebibyte);
});

test('huge pages are limited, at the start and by a change', async (t) => {
  const id = await node.runContainer(await node.runPod(), { resources: { hugepageLimits: [{ pageSize: '2MB', limit: 4n * mebibyte }] } });
  const cgroup = await cgroupPath(node.client, id);
  if (!existsSync(onCgroup2 ? `/sys/fs/cgroup${cgroup}/hugetlb.2MB.max` : `/sys/fs/cgroup/hugetlb${cgroup}/hugetlb.2MB.limit_in_bytes`)) {
    assert.deepEqual((await echoed(id))?.hugepageLimits, [], 'what is not limited is not told to be');
    return t.skip('no hugetlb controller is mounted');
  }
  const limit = (): Promise<string> => value(id, 'hugetlb.2MB.limit_in_bytes', 'hugetlb.2MB.max');

  assert.equal(await limit(), String(4n * mebibyte));
  await update(id, { hugepageLimits: [{ pageSize: '2MB', limit: 8n * mebibyte }] });
  assert.equal(await limit(), String(8n * mebibyte));
  await refusedUnchanged(id, { cpuShares: 99n, hugepageLimits: [{ pageSize: '3MB', limit: 0n }] }, status.FAILED_PRECONDITION, /limit huge pages of 3MB: cannot write .*; see \/sys\/kernel\/mm\/hugepages/);
});

test('unified keys are set on cgroup v2 and refused on v1', async () => {
  const pod = await node.runPod();
  const resources = { unified: { 'memory.high': String(32n * mebibyte), 'pids.max': '77' } };
  if (!onCgroup2) {
    await assertFails(node.createContainer(pod, { resources }), status.FAILED_PRECONDITION, /set config.linux.resources.unified: this node has cgroup v1, where these keys mean nothing/);
    const id = await node.runContainer(pod);
    return await refusedUnchanged(id, resources, status.FAILED_PRECONDITION, /set linux.unified: this node has cgroup v1/);
  }

  const id = await node.runContainer(pod, { resources });

  assert.deepEqual([await value(id, '', 'memory.high'), await value(id, '', 'pids.max')], [String(32n * mebibyte), '77']);
  await update(id, { unified: { 'pids.max': '88' } });
  assert.deepEqual([await value(id, '', 'memory.high'), await value(id, '', 'pids.max')], [String(32n * mebibyte), '88']);
  assert.deepEqual((await echoed(id))?.unified, { 'memory.high': String(32n * mebibyte), 'pids.max': '88' });
  await refusedUnchanged(id, { cpuShares: 99n, unified: { 'memory.high': 'much' } }, status.INVALID_ARGUMENT, /memory\.high/);
});

test('a change that the kernel refuses halfway changes nothing', async () => {
  const id = await node.runContainer(await node.runPod(), { resources: { memoryLimitInBytes: 64n * mebibyte, cpuShares: 512n, cpuPeriod: 100_000n, cpuQuota: 50_000n, cpusetCpus: '0' } });

  await refusedUnchanged(id, { memoryLimitInBytes: 96n * mebibyte, cpuShares: 2048n, cpuQuota: 20_000n, cpuPeriod: 50_000n, cpusetCpus: '999999' }, status.INVALID_ARGUMENT, /update resources of container [0-9a-f]{64}: (crun|runc): .*cpuset/);

  await update(id, { memoryLimitInBytes: 96n * mebibyte });
  assert.equal(await memoryLimit(id), String(96n * mebibyte), 'and the next change works');
});

test('a container without any limit has none again after a change that failed', async () => {
  const id = await node.runContainer(await node.runPod());

  await refusedUnchanged(id, { memoryLimitInBytes: 96n * mebibyte, cpuShares: 99n, cpuQuota: 20_000n, cpusetCpus: '999999' }, status.INVALID_ARGUMENT, /cpuset/);
});

test('a memory limit below what cannot be reclaimed is refused, and nobody is killed', async () => {
  const id = await node.runContainer(await node.runPod(), { script: 'x=$(head -c 40000000 /dev/zero | tr "\\0" x); echo ready; sleep 600 & wait', resources: { memoryLimitInBytes: 256n * mebibyte } });
  await eventually(async () => assert.equal((await node.log(id))[0]?.text, 'ready'), 60_000);

  await refusedUnchanged(id, { memoryLimitInBytes: 16n * mebibyte }, status.FAILED_PRECONDITION, /linux.memory_limit_in_bytes, 16777216, is less than the \d+ bytes in use that the kernel cannot reclaim: processes would be killed/);

  assert.equal((await node.statusOf(id)).state, ContainerState.CONTAINER_RUNNING);
  assert.equal(await node.sh(id, 'echo lives'), 'lives');
});

test('page cache does not stand in the way of a smaller memory limit', async () => {
  const id = await node.runContainer(await node.runPod(), { resources: { memoryLimitInBytes: 256n * mebibyte } });
  await node.sh(id, 'dd if=/dev/zero of=/big bs=1M count=60; sync; cat /big >/dev/null');

  await update(id, { memoryLimitInBytes: 24n * mebibyte });

  assert.equal(await memoryLimit(id), String(24n * mebibyte));
  assert.equal(await node.sh(id, 'echo lives'), 'lives');
});

test('quota and period are changed one at a time without losing the other', async () => {
  const id = await node.runContainer(await node.runPod(), { resources: { cpuPeriod: 50_000n, cpuQuota: 25_000n } });

  await update(id, { cpuQuota: 10_000n });
  assert.equal(await value(id, 'cpu.cfs_quota_us', 'cpu.max'), onCgroup2 ? '10000 50000' : '10000');
  await update(id, { cpuPeriod: 100_000n });
  assert.equal(await value(id, 'cpu.cfs_quota_us', 'cpu.max'), onCgroup2 ? '10000 100000' : '10000');
  await update(id, { cpuQuota: -1n });
  assert.equal(await value(id, 'cpu.cfs_quota_us', 'cpu.max'), onCgroup2 ? 'max 100000' : '-1');
});

test('oom_score_adj is changed for all processes that have not chosen their own', async () => {
  const id = await node.runContainer(await node.runPod(), { script: 'sleep 601 & sh -c "echo 900 >/proc/self/oom_score_adj; exec sleep 602" & wait', resources: { oomScoreAdj: 100n } });
  await eventually(async () => assert.match(await node.sh(id, 'cat /proc/[0-9]*/oom_score_adj | sort -n | uniq'), /900/));

  await update(id, { oomScoreAdj: 300n });

  const { pid } = await infoOf(id);
  assert.equal(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim(), '300');
  assert.deepEqual((await node.sh(id, 'for p in 1 $(pidof sleep); do cat /proc/$p/oom_score_adj; done | sort -n | uniq')).split('\n'), ['300', '900']);
  assert.equal((await echoed(id))?.oomScoreAdj, 300n);
});

test('limits of a created container are changed, and the same creation is still the same', async () => {
  const pod = await node.runPod();
  const config = node.containerConfig(pod, { resources: { memoryLimitInBytes: 64n * mebibyte } });
  const create = async (): Promise<string> => (await node.client.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config })).containerId;
  const id = await create();

  await update(id, { memoryLimitInBytes: 96n * mebibyte });

  assert.equal(await create(), id);
  await node.client.startContainer({ containerId: id });
  assert.equal(await memoryLimit(id), String(96n * mebibyte));
});

test('changes of one container come one after the other, and the last one holds', async () => {
  const id = await node.runContainer(await node.runPod());
  const sizes = [64n, 80n, 96n, 112n, 128n].map((size) => size * mebibyte);

  await Promise.all(sizes.map((memoryLimitInBytes) => update(id, { memoryLimitInBytes, cpuShares: memoryLimitInBytes / mebibyte })));

  const told = await echoed(id);
  assert.equal(await memoryLimit(id), String(told?.memoryLimitInBytes));
  assert.equal(told?.cpuShares, (told?.memoryLimitInBytes ?? 0n) / mebibyte, 'limits of one change stay together');
});

test('changed limits and their annotations outlive the daemon, and the next change builds on them', async () => {
  const id = await node.runContainer(await node.runPod(), { resources: { cpuShares: 512n } });
  await node.client.updateContainerResources({ containerId: id, linux: limits({ memoryLimitInBytes: 64n * mebibyte }), annotations: { 'example.com/why': 'resize' } });

  await node.daemon.restart();

  assert.deepEqual(await echoed(id), limits({ cpuShares: 512n, memoryLimitInBytes: 64n * mebibyte }));
  assert.deepEqual((await infoOf(id)).resourceAnnotations, { 'example.com/why': 'resize' });
  await update(id, { cpuShares: 1024n });
  assert.deepEqual(await echoed(id), limits({ cpuShares: 1024n, memoryLimitInBytes: 64n * mebibyte }));
});

test('what no node could keep is refused by name before anything is changed', async () => {
  const id = await node.runContainer(await node.runPod(), { resources: { memoryLimitInBytes: 64n * mebibyte } });
  const bad: readonly [Partial<LinuxContainerResources>, RegExp][] = [
    [{ cpuShares: 1n }, /check linux.cpu_shares: 1 is not from 2 to 262144/],
    [{ cpuQuota: 10n }, /check linux.cpu_quota: 10 is neither/],
    [{ cpuPeriod: -1n }, /check linux.cpu_period: -1 is not from/],
    [{ cpusetCpus: 'all' }, /check linux.cpuset_cpus: "all" is not a list/],
    [{ memoryLimitInBytes: -2n }, /check linux.memory_limit_in_bytes: -2 is less than -1/],
    [{ memorySwapLimitInBytes: mebibyte }, /check linux.memory_swap_limit_in_bytes: 1048576 is memory and swap together and cannot be less than memory_limit_in_bytes, 67108864/],
    [{ oomScoreAdj: 1001n }, /check linux.oom_score_adj: 1001 is not from -1000 to 1000/],
    [{ hugepageLimits: [{ pageSize: 'big', limit: 0n }] }, /check linux.hugepage_limits\[0\].page_size: "big" is not a size/],
    [{ unified: { 'cgroup.procs': '1' } }, /check linux.unified: "cgroup.procs" is no key of a cgroup controller/],
  ];

  for (const [fields, pattern] of bad) await refusedUnchanged(id, { cpusetMems: '0', ...fields }, status.INVALID_ARGUMENT, pattern);
  await assertFails(node.client.updateContainerResources({ containerId: id, linux: limits({}), windows: message(WindowsContainerResources) }), status.INVALID_ARGUMENT, /windows: this is a Linux node/);
});

test('a creation with limits that the kernel refuses leaves nothing', async () => {
  const pod = await node.runPod();

  await assertFails(node.createContainer(pod, { resources: { cpusetCpus: String(os.cpus().length + 100_000) } }), status.INVALID_ARGUMENT, /create container .*cpuset/);

  assert.deepEqual((await node.client.listContainers()).containers.filter(({ podSandboxId }) => podSandboxId === pod.id), []);
});

test('a class of block I/O throttles the disks that it names', async (t) => {
  const disk = readdirSync('/sys/block').find((name) => existsSync(`/dev/${name}`) && !name.startsWith('ram'));
  if (disk === undefined) return t.skip('this machine has no disk');
  writeFileSync(classes, `Classes:\n  slow:\n    - Devices: [/dev/${disk}]\n      ThrottleReadBps: 2Mi\n      ThrottleWriteIOPS: 300\n`);
  const pod = await node.runPod({ config: { annotations: { 'blockio.resources.beta.kubernetes.io/pod': 'slow' } } });

  const id = await node.runContainer(pod);

  const device = readFileSync(`/sys/block/${disk}/dev`, 'utf8').trim();
  const [reads, writes] = [await value(id, 'blkio.throttle.read_bps_device', 'io.max'), await value(id, 'blkio.throttle.write_iops_device', 'io.max')];
  if (onCgroup2) assert.match(reads, new RegExp(`${device} rbps=2097152 .*wiops=300`));
  else assert.deepEqual([reads, writes], [`${device} 2097152`, `${device} 300`]);
});

test('a class that this node does not have is refused, and nothing is left of the container', async () => {
  writeFileSync(classes, 'Classes: { slow: [{ Weight: 20 }] }');
  const create = async (annotations: Record<string, string>): Promise<string> => node.createContainer(await node.runPod(), { config: { annotations } });

  await assertFails(create({ 'io.kubernetes.cri.blockio-class': 'fast' }), status.FAILED_PRECONDITION, /use block I\/O class fast: there is no such class; there are: slow/);
  await assertFails(create({ 'io.kubernetes.cri.blockio-class': '../x' }), status.INVALID_ARGUMENT, /check config.annotations\[io.kubernetes.cri.blockio-class\]: "..\/x" is no name of a class/);
  await assertFails(create({ 'io.kubernetes.cri.rdt-class': 'no-such-group' }), status.FAILED_PRECONDITION, /use RDT class no-such-group: (resctrl is not mounted|there is no group)/);
});

test('a pod remembers what it was resized to', async () => {
  const pod = await node.runPod();
  const infoOfPod = async (): Promise<{ config: { linux: { resources: unknown; overhead: unknown } } }> => JSON.parse((await node.client.podSandboxStatus({ podSandboxId: pod.id, verbose: true })).info['info'] ?? '{}');
  const plain = (fields: Partial<LinuxContainerResources>): unknown => JSON.parse(JSON.stringify(limits(fields), (_, member: unknown) => (typeof member === 'bigint' ? Number(member) : member)));

  await node.client.updatePodSandboxResources({ podSandboxId: pod.id, overhead: limits({ cpuShares: 10n }), resources: limits({ memoryLimitInBytes: mebibyte }) });
  await node.client.updatePodSandboxResources({ podSandboxId: pod.id, overhead: undefined, resources: limits({ memoryLimitInBytes: 2n * mebibyte }) });
  await node.daemon.restart();

  const { linux } = (await infoOfPod()).config;
  assert.deepEqual([linux.overhead, linux.resources], [plain({ cpuShares: 10n }), plain({ memoryLimitInBytes: Number(2n * mebibyte) as never })]);
  await node.runContainer(pod);
});

test('a pod that is unknown, stopped or resized to nonsense says so', async () => {
  const pod = await node.runPod({ namespaces: { pid: NamespaceMode.POD } });
  const resize = (podSandboxId: string, fields: Partial<LinuxContainerResources>) => node.client.updatePodSandboxResources({ podSandboxId, overhead: undefined, resources: limits(fields) });

  await assertFails(resize(pod.id, { cpuQuota: 5n }), status.INVALID_ARGUMENT, /check resources.cpu_quota: 5 is neither/);
  await assertFails(node.client.updatePodSandboxResources({ podSandboxId: pod.id, overhead: limits({ oomScoreAdj: 2000n }), resources: undefined }), status.INVALID_ARGUMENT, /check overhead.oom_score_adj/);
  await assertFails(resize('f'.repeat(64), {}), status.NOT_FOUND, /f{64}/);
  await node.client.stopPodSandbox({ podSandboxId: pod.id });
  await assertFails(resize(pod.id, {}), status.FAILED_PRECONDITION, /update resources of pod default\/pod-\d+: the pod is not ready/);
});

test('a pod whose overhead or resources are nonsense is not made', async () => {
  const config = node.podConfig();

  const given = { ...config, linux: { ...config.linux!, overhead: limits({ cpuShares: -5n }) } };

  await assertFails(node.client.runPodSandbox({ config: given, runtimeHandler: '' }), status.INVALID_ARGUMENT, /check config.linux.overhead.cpu_shares: -5 is not from 2 to 262144/);
});

test('of all these pods nothing is left once they are removed', () => assertRemovalLeavesNothing(node.daemon));
