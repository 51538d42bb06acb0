import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LinuxContainerResources } from '../../gen/cri.ts';
import { exampleFacts } from './example-input.fake.ts';
import { changedResources, noResources, resourcesInForce, resourcesToTell, resourcesToTellBack, withCpuOf } from './resource-change.ts';

const limits = (fields: Partial<LinuxContainerResources>): LinuxContainerResources => ({ ...noResources(), ...fields });

test('what a change does not name stays', () => {
  const before = limits({ cpuShares: 512n, memoryLimitInBytes: 64n, cpusetCpus: '0', hugepageLimits: [{ pageSize: '2MB', limit: 1n }, { pageSize: '1GB', limit: 2n }], unified: { 'memory.high': '1', 'pids.max': '2' } });
  const asked = limits({ cpuShares: 1024n, cpusetMems: '0', hugepageLimits: [{ pageSize: '2MB', limit: 3n }], unified: { 'memory.high': '4' } });

  assert.deepEqual(changedResources(before, asked), limits({
    cpuShares: 1024n, memoryLimitInBytes: 64n, cpusetCpus: '0', cpusetMems: '0', hugepageLimits: [{ pageSize: '1GB', limit: 2n }, { pageSize: '2MB', limit: 3n }], unified: { 'memory.high': '4', 'pids.max': '2' },
  }));
  assert.deepEqual(changedResources(undefined, asked), asked);
});

test('a new memory limit keeps the amount of swap', () => {
  const swapAfter = (memory: bigint, swap: bigint, asked: Partial<LinuxContainerResources>): bigint =>
    changedResources(limits({ memoryLimitInBytes: memory, memorySwapLimitInBytes: swap }), limits(asked)).memorySwapLimitInBytes;

  assert.equal(swapAfter(100n, 150n, { memoryLimitInBytes: 300n }), 350n);
  assert.equal(swapAfter(100n, 150n, { memoryLimitInBytes: 20n }), 70n);
  assert.equal(swapAfter(100n, 150n, { memoryLimitInBytes: -1n }), -1n);
  assert.equal(swapAfter(100n, 150n, { memoryLimitInBytes: 300n, memorySwapLimitInBytes: 300n }), 300n);
  assert.equal(swapAfter(100n, -1n, { memoryLimitInBytes: 300n }), -1n);
  assert.equal(swapAfter(100n, 0n, { memoryLimitInBytes: 300n }), 0n, 'none was allowed, and none is');
  assert.equal(swapAfter(100n, 150n, { cpuShares: 2n }), 150n);
});

test('the runtime hears of a quota with its period and of memory with its swap, and of nothing else', () => {
  const after = limits({ cpuShares: 512n, cpuQuota: 5000n, cpuPeriod: 50_000n, memoryLimitInBytes: 64n, memorySwapLimitInBytes: 96n, unified: { 'memory.high': '1' } });
  const told = (asked: Partial<LinuxContainerResources>): LinuxContainerResources => resourcesToTell(after, limits(asked));

  assert.deepEqual(told({ cpuQuota: 5000n }), limits({ cpuQuota: 5000n, cpuPeriod: 50_000n }));
  assert.deepEqual(told({ memorySwapLimitInBytes: 96n }), limits({ memoryLimitInBytes: 64n, memorySwapLimitInBytes: 96n }));
  assert.deepEqual(told({ cpuShares: 512n }), limits({ cpuShares: 512n }));
});

test('to take a change back, the runtime hears the old limits of what was asked, or that there were none', () => {
  const asked = limits({ cpuShares: 9n, cpuQuota: 5000n, memoryLimitInBytes: 64n, memorySwapLimitInBytes: 96n, cpusetCpus: '1' });

  assert.deepEqual(resourcesToTellBack(undefined, asked), limits({ cpuShares: 1024n, cpuQuota: -1n, memoryLimitInBytes: -1n, memorySwapLimitInBytes: -1n }));
  assert.deepEqual(resourcesToTellBack(limits({ cpuShares: 2n, memoryLimitInBytes: 32n, cpusetCpus: '0', cpusetMems: '0' }), asked), limits({ cpuShares: 2n, cpuQuota: -1n, memoryLimitInBytes: 32n, memorySwapLimitInBytes: 32n, cpusetCpus: '0' }));
});

test('limits that this host does not keep are not told as if it did', () => {
  const asked = limits({ oomScoreAdj: -500n, memoryLimitInBytes: 5n, memorySwapLimitInBytes: 9n, hugepageLimits: [{ pageSize: '2MB', limit: 1n }] });

  assert.deepEqual(resourcesInForce(asked, exampleFacts, { restrictOomScore: false }), asked);
  assert.deepEqual(resourcesInForce(asked, { ...exampleFacts, hugetlb: false, swapAccounting: false, hasSysResource: false, oomScoreAdj: 7 }, { restrictOomScore: false }), limits({ oomScoreAdj: 7n, memoryLimitInBytes: 5n }));
});

test('the CPU figures that a container is made with are told in place of those asked for, the rest as it was', () => {
  const asked = { ...noResources(), cpuShares: 512n, cpusetMems: '0', memoryLimitInBytes: 1024n };
  const figures = { shares: 20, cpus: '1' } as unknown as { shares: bigint; cpus: string }; // as JSON of a base spec has them

  assert.deepEqual(withCpuOf({ cpu: figures }, asked), { ...asked, cpuShares: 20n, cpusetCpus: '1' });
  assert.deepEqual(withCpuOf({ cpu: { quota: -1n } }, undefined), { ...noResources(), cpuQuota: -1n });
  assert.equal(withCpuOf({}, undefined), undefined);
  assert.equal(withCpuOf({}, asked), asked);
});
