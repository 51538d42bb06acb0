import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerConfig, ContainerState, PodSandboxConfig } from '../gen/cri.ts';
import type { ContainerInspect } from './api/engine-answers.ts';
import { containerLabels, podLabels } from './labels.ts';
import { cgroupOf, recordOf } from './records.ts';
import type { ContainerRecord, PodRecord } from './records.ts';

const config: ContainerConfig = { ...ContainerConfig.decode(new Uint8Array()), metadata: { name: 'main', attempt: 1 }, labels: { app: 'web', 'gantry.root': 'a lie' } };
const podConfig: PodSandboxConfig = { ...PodSandboxConfig.decode(new Uint8Array()), metadata: { name: 'web', namespace: 'default', uid: 'u', attempt: 0 }, labels: { app: 'web' } };
const labels = containerLabels('/r', { podId: 'p1', config, logPath: '/l/0.log' });
const never = '0001-01-01T00:00:00Z';

function inspect(state: Partial<ContainerInspect['State']>, Labels: Readonly<Record<string, string>> = labels, Name = '/k8s_main'): ContainerInspect {
  return {
    Id: 'c1', Name, Created: '2026-01-02T03:04:05.000000006Z', Image: 'sha256:i', ResolvConfPath: '',
    State: { Status: 'created', Pid: 0, ExitCode: 0, Error: '', OOMKilled: false, StartedAt: never, FinishedAt: never, ...state },
    Config: { Labels },
    HostConfig: { CgroupParent: '/kubepods/pod1', CpuShares: 0, CpuPeriod: 0, CpuQuota: 0, CpusetCpus: '', CpusetMems: '', Memory: 0, MemorySwap: 0, OomScoreAdj: 0 },
  };
}

const container = (state: Partial<ContainerInspect['State']>): ContainerRecord => recordOf(inspect(state), '/r', undefined) as ContainerRecord;
const at = (seconds: number): bigint => BigInt(Date.UTC(2026, 0, 2, 3, 4, seconds)) * 1_000_000n;

test('a container is what its labels say, and its state what the Engine says', () => {
  const created = container({});
  const running = container({ Status: 'running', Pid: 7, StartedAt: '2026-01-02T03:04:06Z' });
  const paused = container({ Status: 'paused', Pid: 7 });

  assert.deepEqual([created.podId, created.logPath, created.createdAt, created.state, created.exit], ['p1', '/l/0.log', at(5) + 6n, ContainerState.CONTAINER_CREATED, undefined]);
  assert.deepEqual([created.config.metadata, created.config.labels], [config.metadata, config.labels]);
  assert.deepEqual([running.state, running.startedAt, paused.state], [ContainerState.CONTAINER_RUNNING, at(6), ContainerState.CONTAINER_RUNNING]);
});

test('how a container ended is told in the words of Kubernetes', () => {
  const FinishedAt = '2026-01-02T03:04:07Z';
  const rows = [
    [{ Status: 'exited', ExitCode: 0, FinishedAt }, { code: 0, at: at(7), reason: 'Completed', message: '' }],
    [{ Status: 'exited', ExitCode: 3, FinishedAt }, { code: 3, at: at(7), reason: 'Error', message: '' }],
    [{ Status: 'exited', ExitCode: 137, OOMKilled: true, FinishedAt }, { code: 137, at: at(7), reason: 'OOMKilled', message: '' }],
    [{ Status: 'dead', ExitCode: 1, FinishedAt }, { code: 1, at: at(7), reason: 'Error', message: '' }],
    [{ Status: 'created', ExitCode: 127, Error: 'no such program' }, { code: 127, at: at(5) + 6n, reason: 'StartError', message: 'no such program' }],
  ] as const;

  for (const [state, exit] of rows) {
    const record = container(state);
    assert.deepEqual([record.state, record.exit], [ContainerState.CONTAINER_EXITED, exit]);
  }
});

test('a pod is ready while its infra container runs under its final name', () => {
  const of = podLabels('/r', { config: podConfig, handler: 'runsc' });
  const pod = (Status: 'running' | 'exited', name: string): PodRecord => recordOf(inspect({ Status }, of, `/${name}`), '/r', undefined) as PodRecord;

  const rows = [pod('running', 'k8s_POD_web'), pod('exited', 'k8s_POD_web'), pod('running', 'gantry-stopped.k8s_POD_web'), pod('running', 'gantry-making.k8s_POD_web')];
  assert.deepEqual(rows.map(({ ready, stage }) => [ready, stage]), [[true, 'made'], [false, 'made'], [false, 'stopped'], [false, 'making']]);
  assert.deepEqual([rows[0]?.handler, rows[0]?.config], ['runsc', PodSandboxConfig.decode(PodSandboxConfig.encode(podConfig).finish())]);
});

test('a container of another daemon, or of nobody of ours, is none', () => {
  assert.equal(recordOf(inspect({}), '/other', undefined), undefined);
  assert.equal(recordOf(inspect({}, {}), '/r', undefined), undefined);
  assert.equal(recordOf(inspect({}, { 'gantry.root': '/r' }), '/r', undefined), undefined);
});

test('a cgroup is where the Engine puts it', () => {
  const record = container({});
  const below = (CgroupParent: string): ContainerRecord => ({ ...record, engine: { ...record.engine, HostConfig: { ...record.engine.HostConfig, CgroupParent } } });

  assert.equal(cgroupOf(record, 'cgroupfs'), '/kubepods/pod1/c1');
  assert.equal(cgroupOf(below(''), 'cgroupfs'), '/docker/c1');
  assert.equal(cgroupOf(below('kubepods-pod1.slice'), 'systemd'), '/kubepods.slice/kubepods-pod1.slice/docker-c1.scope');
  assert.equal(cgroupOf(below(''), 'systemd'), '/system.slice/docker-c1.scope');
});
