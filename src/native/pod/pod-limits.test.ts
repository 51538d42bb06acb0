import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinuxContainerResources, LinuxPodSandboxConfig } from '../../gen/cri.ts';
import { exampleFacts } from '../../part/spec/example-input.fake.ts';
import { podLimits } from './pod-limits.ts';

type Figures = Partial<LinuxContainerResources>;
const full = (figures: Figures | undefined) => figures && { ...LinuxContainerResources.decode(new Uint8Array()), ...figures };
const limits = ({ resources, overhead }: { resources?: Figures; overhead?: Figures }) => podLimits({ linux: { ...LinuxPodSandboxConfig.decode(new Uint8Array()), resources: full(resources), overhead: full(overhead) } }, exampleFacts);

test('a sandbox is limited to what the containers come to and the overhead', () => {
  const { memory, cpu } = limits({ resources: { memoryLimitInBytes: 100n, cpuQuota: 50_000n, cpuPeriod: 100_000n, cpuShares: 512n }, overhead: { memoryLimitInBytes: 20n, cpuQuota: 10_000n, cpuPeriod: 100_000n, cpuShares: 100n } });

  assert.equal(memory?.limit, 120n);
  assert.deepEqual(cpu, { shares: 612n, quota: 60_000n, period: 100_000n });
});

test('an overhead makes no limit where the pod has none', () => {
  assert.deepEqual(limits({ overhead: { memoryLimitInBytes: 20n } }), {});
  assert.deepEqual(limits({ resources: { cpuShares: 512n }, overhead: { memoryLimitInBytes: 20n } }), { cpu: { shares: 512n } });
});
