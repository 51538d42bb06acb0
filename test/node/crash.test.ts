/**
 * The daemon is killed at moments that nobody chose, while it makes fifty pods or takes them away. The next daemon must know of
 * everything that is there: each pod is listed and can be removed, or is gone without a trace.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerState, NamespaceMode, PortMapping, Protocol } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import type { PodOptions } from '../support/cri-messages.ts';
import { startWorkload } from '../support/workload.ts';
import { assertNoTraces, tracesOf } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const { daemon, client } = node;

const pods = 50;
/** For all rounds together, but a round that has begun is finished. */
const budgetMs = 15_000;

/** Pods of several kinds: each makes other things on the node. */
const kinds: readonly Partial<PodOptions>[] = [
  {},
  { cgroupParent: '' }, // gets a cgroup of its own
  { namespaces: { pid: NamespaceMode.POD } }, // has a process of its own
  { namespaces: { network: NamespaceMode.NODE, ipc: NamespaceMode.NODE } },
];

async function startPod(n: number): Promise<void> {
  const portMappings = n % 5 === 0 ? [message(PortMapping, { protocol: Protocol.TCP, containerPort: 80, hostPort: 20_000 + n })] : [];
  const pod = await node.runPod({ ...kinds[n % kinds.length], config: { portMappings } });
  await node.runContainer(pod);
}

async function removePod(podSandboxId: string): Promise<void> {
  await client.stopPodSandbox({ podSandboxId });
  await client.removePodSandbox({ podSandboxId });
}

/** Runs all of `work` at once, kills the daemon `afterMs` later, and starts it again. How much was done in time does not matter. */
async function cutShort(work: readonly Promise<unknown>[], afterMs: number): Promise<void> {
  const settled = Promise.allSettled(work);
  await sleep(afterMs);
  await daemon.kill9();
  await settled;
  await daemon.restart();
}

const listed = async (): Promise<string[]> => (await client.listPodSandbox()).items.map(({ id }) => id);

/** In `pod0123…` the id is what comes after a letter that could be a digit. */
const idForm = /[0-9a-f]{64}(?![0-9a-f])/g;

/** What is there right after a start belongs to a pod or container that is in the lists. */
async function assertNoStrays(): Promise<void> {
  const [{ items }, { containers }] = await Promise.all([client.listPodSandbox(), client.listContainers()]);
  const known = [...items, ...containers].map(({ id }) => id);
  const strays = tracesOf(daemon).filter((trace) => (trace.match(idForm) ?? []).some((id) => !known.includes(id)));
  assert.deepEqual(strays, [], 'things of pods that are not listed');
}

/** What the daemon says of a container after its restart is true: one that it calls running can be asked. */
async function assertStatesAreTrue(): Promise<void> {
  const { containers } = await client.listContainers();
  for (const { id, state } of containers) {
    assert.ok(state === ContainerState.CONTAINER_RUNNING || state === ContainerState.CONTAINER_CREATED, `${id} is ${state}`);
    if (state === ContainerState.CONTAINER_RUNNING) assert.equal(await node.sh(id, 'echo inside'), 'inside');
    else await client.startContainer({ containerId: id });
  }
}

test('kill -9 at random moments of fifty pod starts and removals: what is left is listed, and can be removed', { timeout: 240_000 }, async (t) => {
  const began = Date.now();
  await Promise.all(Array.from({ length: pods }, (_, n) => startPod(n)));
  const startMs = Date.now() - began;
  let removeMs = startMs / 2;

  for (let round = 1; round === 1 || Date.now() - began < budgetMs; round++) {
    const removals = randomInt(Math.ceil(removeMs));
    t.diagnostic(`round ${round}: killed ${removals} ms into the removal of ${(await listed()).length} pods`);
    await cutShort((await listed()).map(removePod), removals);
    await assertNoStrays();
    const removing = Date.now();
    const left = await listed();
    await Promise.all(left.map(removePod));
    if (left.length > pods / 2) removeMs = Date.now() - removing;
    await assertNoTraces(daemon);

    const starts = randomInt(startMs);
    await cutShort(Array.from({ length: pods }, (_, n) => startPod(n)), starts);
    t.diagnostic(`round ${round}: killed ${starts} of ${startMs} ms into the start of ${pods} pods: ${(await listed()).length} are there`);
    await assertNoStrays();
    await assertStatesAreTrue();
  }

  await Promise.all((await listed()).map(removePod));
  await assertNoTraces(daemon);
});
