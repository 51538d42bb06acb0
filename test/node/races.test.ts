/** Calls about the same few pods and containers, all at once and in no order: whatever comes of each, none ends in an internal error, and nothing is left. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { ContainerConfig, PodSandboxConfig } from '../../src/gen/cri.ts';
import { NamespaceMode } from '../../src/gen/cri.ts';
import { startWorkload, type WorkloadPod } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const { client, daemon } = node;

/** What may come of a call that another one got ahead of. */
const acceptable: readonly number[] = [status.NOT_FOUND, status.FAILED_PRECONDITION, status.ALREADY_EXISTS];
const budgetMs = 8000;

function pick<T>(choices: readonly T[]): T {
  return choices[randomInt(choices.length)]!;
}

const podConfigs: readonly PodSandboxConfig[] = Array.from({ length: 4 }, (_, n) => node.podConfig({ namespaces: { pid: n % 2 === 0 ? NamespaceMode.CONTAINER : NamespaceMode.POD } }));
const containerConfigs: readonly ContainerConfig[] = ['exec sleep 86399', "trap 'exit 0' TERM; while true; do sleep 0.05; done", 'exit 3'].map((script, n) => {
  const pod = { id: '', config: podConfigs[0]! };
  return node.containerConfig(pod, { name: `container-${n}`, script });
});

async function somePod(): Promise<WorkloadPod> {
  const { items } = await client.listPodSandbox();
  const { id = '0'.repeat(64), metadata } = items.length === 0 ? {} : pick(items);
  return { id, config: podConfigs.find((config) => config.metadata?.uid === metadata?.uid) ?? podConfigs[0]! };
}

async function someContainer(): Promise<string> {
  const { containers } = await client.listContainers();
  return containers.length === 0 ? '0'.repeat(64) : pick(containers).id;
}

async function create(): Promise<unknown> {
  const pod = await somePod();
  const config = pick(containerConfigs);
  const linux = { ...config.linux!, securityContext: { ...config.linux!.securityContext!, namespaceOptions: pod.config.linux?.securityContext?.namespaceOptions } };
  return client.createContainer({ podSandboxId: pod.id, config: { ...config, linux }, sandboxConfig: pod.config });
}

/** What is called, and how often in relation to the others. */
const calls: readonly { readonly name: string; readonly weight: number; readonly call: () => Promise<unknown> }[] = [
  { name: 'run pod', weight: 4, call: () => client.runPodSandbox({ config: pick(podConfigs) }) },
  { name: 'stop pod', weight: 1, call: async () => client.stopPodSandbox({ podSandboxId: (await somePod()).id }) },
  { name: 'remove pod', weight: 1, call: async () => client.removePodSandbox({ podSandboxId: (await somePod()).id }) },
  { name: 'create', weight: 8, call: create },
  { name: 'start', weight: 8, call: async () => client.startContainer({ containerId: await someContainer() }) },
  { name: 'stop', weight: 2, call: async () => client.stopContainer({ containerId: await someContainer(), timeout: BigInt(randomInt(2)) }) },
  { name: 'remove', weight: 2, call: async () => client.removeContainer({ containerId: await someContainer() }) },
  { name: 'exec', weight: 4, call: async () => client.execSync({ containerId: await someContainer(), cmd: ['true'], timeout: 5n }) },
  { name: 'status', weight: 1, call: async () => client.containerStatus({ containerId: await someContainer(), verbose: true }) },
  { name: 'status of pod', weight: 1, call: async () => client.podSandboxStatus({ podSandboxId: (await somePod()).id, verbose: true }) },
  { name: 'stats', weight: 1, call: async () => client.containerStats({ containerId: await someContainer() }) },
  { name: 'stats of pods', weight: 1, call: () => client.listPodSandboxStats() },
];
const drum = calls.flatMap(({ weight, ...call }) => Array.from({ length: weight }, () => call));

test('calls of all kinds at once about a few pods: none fails but for a reason of its own, and nothing is left', async (t) => {
  const outcomes = new Map<string, number>();
  const until = Date.now() + budgetMs;
  const caller = async (): Promise<void> => {
    while (Date.now() < until) {
      const { name, call } = pick(drum);
      const outcome = await call().then(() => 'OK', (error: { code: number; details: string }) => {
        if (!acceptable.includes(error.code)) assert.fail(`${name} failed with ${status[error.code]}: ${error.details}`);
        return status[error.code];
      });
      outcomes.set(`${name} ${outcome}`, (outcomes.get(`${name} ${outcome}`) ?? 0) + 1);
    }
  };

  await Promise.all(Array.from({ length: 16 }, caller));

  t.diagnostic([...outcomes].sort().map(([what, times]) => `${what} × ${times}`).join(', '));
  await assertRemovalLeavesNothing(daemon);
});
