import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinuxContainerResources, PodSandboxConfig } from '../../gen/cri.ts';
import { podInfo } from './pod-info.ts';
import type { PodRecord } from './pod-record.ts';

const record: PodRecord = {
  id: 'a'.repeat(64), config: PodSandboxConfig.decode(new Uint8Array()), runtimeHandler: '', selinuxLevel: undefined, handler: 'crun', createdAt: 1n, ips: [],
  infra: { pid: 4321, startTime: 1 }, cgroupParent: '/pods', bootId: 'boot', stopped: false,
};

function processOf(pod: PodRecord, ready: boolean): unknown {
  const { info = '' } = podInfo({ roots: { root: '/r', state: '/nowhere' }, isReady: () => ready }, pod);
  const { pid, processStatus } = JSON.parse(info) as { pid: number; processStatus: string };
  return { pid, processStatus };
}

test('a pod tells the pid of its process only while that process is its own', () => {
  assert.deepEqual(processOf(record, true), { pid: 4321, processStatus: 'running' });
  assert.deepEqual(processOf(record, false), { pid: 0, processStatus: 'exited' });
  assert.deepEqual(processOf({ ...record, infra: undefined }, true), { pid: 0, processStatus: 'none' });
});

test('the 64-bit numbers of a kubelet\'s pod config are told as numbers', () => {
  const resources = LinuxContainerResources.decode(new Uint8Array());
  const config = PodSandboxConfig.decode(PodSandboxConfig.encode({ ...record.config, linux: { cgroupParent: '', securityContext: undefined, sysctls: {}, overhead: undefined, resources: { ...resources, memoryLimitInBytes: 1n << 40n } } }).finish());

  const { info = '' } = podInfo({ roots: { root: '/r', state: '/nowhere' }, isReady: () => true }, { ...record, config });

  const told = JSON.parse(info) as { config: { linux: { resources: { memoryLimitInBytes: number } } } };
  assert.equal(told.config.linux.resources.memoryLimitInBytes, 2 ** 40);
});
