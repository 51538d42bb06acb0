/**
 * What an engine promises (engine.ts), asked through a CRI socket: so it can be tried on every engine of ours, and on any other
 * runtime, which shows that the questions themselves are right. What only Gantry promises is marked and not asked of a peer.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { ContainerFilter, ContainerState, ContainerStatsFilter, ImageFilter, ImageSpec, LinuxContainerResources, NamespaceMode, PodSandboxFilter, PodSandboxState } from '../gen/cri.ts';
import type { ContainerConfig, PodSandboxConfig } from '../gen/cri.ts';
import type { CriClient } from '../../test/support/cri-client.ts';
import { containerConfig, message, podConfig, type ContainerOptions, type PodOptions } from '../../test/support/cri-messages.ts';

export interface ContractSubject {
  readonly client: CriClient;
  /** A pulled image with a shell. */
  readonly image: string;
  /** A folder for the pods' logs. */
  readonly logs: string;
  readonly cgroupParent: string;
  /** Ends the runtime and removes what it made. */
  stop(): Promise<void>;
}

export interface ContractOptions {
  readonly start: () => Promise<ContractSubject>;
  /** Another runtime than Gantry. */
  readonly peer: boolean;
}

interface Pod {
  readonly id: string;
  readonly config: PodSandboxConfig;
}

const unknownId = 'f'.repeat(64);

/** Declares the tests. `name` says whom they are about. */
export function criContract(name: string, { start, peer }: ContractOptions): void {
  let subject: ContractSubject;
  let client: CriClient;
  let serial = 0;
  /** A promise of Gantry's own: others answer differently, which is their right. */
  const ours = (title: string, ask: () => Promise<void>): void => {
    if (!peer) void test(title, ask);
  };

  const newPodConfig = (options: Partial<PodOptions> = {}): PodSandboxConfig => {
    const podName = options.name ?? `contract-${++serial}`;
    const places = { logDirectory: `${subject.logs}/${podName}`, cgroupParent: `${subject.cgroupParent}/${podName}` };
    // The node's network (and so no host name), as the network is not what is asked about here.
    return podConfig({ namespaces: { network: NamespaceMode.NODE }, ...places, ...options, name: podName, config: { hostname: '', ...options.config } });
  };
  const runPod = async (options: Partial<PodOptions> = {}): Promise<Pod> => {
    const config = newPodConfig(options);
    return { id: (await client.runPodSandbox({ config })).podSandboxId, config };
  };
  const newContainerConfig = ({ script = 'exec sleep 86399', ...options }: Partial<ContainerOptions> & { script?: string } = {}): ContainerConfig =>
    containerConfig({ name: `container-${++serial}`, image: subject.image, command: ['sh', '-c', script], namespaces: { network: NamespaceMode.NODE }, ...options });
  const create = async (pod: Pod, config = newContainerConfig()): Promise<string> =>
    (await client.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config })).containerId;
  const run = async (pod: Pod, config = newContainerConfig()): Promise<string> => {
    const containerId = await create(pod, config);
    await client.startContainer({ containerId });
    return containerId;
  };
  const podState = async (podSandboxId: string): Promise<number | undefined> => (await client.podSandboxStatus({ podSandboxId })).status?.state;
  const containerState = async (containerId: string): Promise<number | undefined> => (await client.containerStatus({ containerId })).status?.state;
  const pods = async (filter: Partial<PodSandboxFilter>): Promise<string[]> => (await client.listPodSandbox({ filter: message(PodSandboxFilter, filter) })).items.map(({ id }) => id).sort();
  const containers = async (filter: Partial<ContainerFilter>): Promise<string[]> => (await client.listContainers({ filter: message(ContainerFilter, filter) })).containers.map(({ id }) => id).sort();

  describe(name, () => {
    before(async () => {
      subject = await start();
      ({ client } = subject);
    });
    after(() => subject?.stop());

    describe('pods', () => {
      test('a pod that was run is ready and listed, as it was asked for', async () => {
        const { id, config } = await runPod({ config: { labels: { app: 'web' }, annotations: { note: 'kept' } } });

        const { status: of } = await client.podSandboxStatus({ podSandboxId: id });
        const { items } = await client.listPodSandbox({ filter: message(PodSandboxFilter, { id }) });

        assert.match(id, /^[0-9a-f]{64}$/);
        for (const shown of [of, items[0]]) {
          assert.deepEqual([shown?.id, shown?.state, shown?.metadata, shown?.labels, shown?.annotations], [id, PodSandboxState.SANDBOX_READY, config.metadata, { app: 'web' }, { note: 'kept' }]);
        }
      });

      ours('the same pod run again is the same pod while it is ready', async () => {
        const config = newPodConfig();

        const { podSandboxId: first } = await client.runPodSandbox({ config });
        const { podSandboxId: again } = await client.runPodSandbox({ config });

        assert.equal(again, first);
      });

      ours('the same pod run many times at once is one pod', async () => {
        const config = newPodConfig({ config: { labels: { crowd: 'yes' } } });

        const ids = await Promise.all(Array.from({ length: 5 }, async () => (await client.runPodSandbox({ config })).podSandboxId));

        assert.deepEqual(await pods({ labelSelector: { crowd: 'yes' } }), [...new Set(ids)]);
      });

      test('another attempt is another pod', async () => {
        const first = await runPod();
        const metadata = { ...first.config.metadata!, attempt: 1 };

        const { podSandboxId: second } = await client.runPodSandbox({ config: { ...first.config, metadata } });

        assert.notEqual(second, first.id);
      });

      ours('a stopped pod is run anew, beside the old one', async () => {
        const old = await runPod();
        await client.stopPodSandbox({ podSandboxId: old.id });

        const { podSandboxId: fresh } = await client.runPodSandbox({ config: old.config });

        assert.deepEqual([await podState(old.id), await podState(fresh)], [PodSandboxState.SANDBOX_NOTREADY, PodSandboxState.SANDBOX_READY]);
      });

      test('a pod can be stopped and removed again and again, and needs not be stopped to be removed', async () => {
        const [stopped, ready] = [await runPod(), await runPod()];
        await client.stopPodSandbox({ podSandboxId: stopped.id });
        await client.stopPodSandbox({ podSandboxId: stopped.id });
        assert.equal(await podState(stopped.id), PodSandboxState.SANDBOX_NOTREADY);

        for (const { id } of [stopped, ready]) {
          await client.removePodSandbox({ podSandboxId: id });
          await client.removePodSandbox({ podSandboxId: id });
          await assertFails(client.podSandboxStatus({ podSandboxId: id }), status.NOT_FOUND);
        }
      });

      test('stop and removal of one pod at once both succeed', async () => {
        const { id } = await runPod();

        await Promise.all([client.stopPodSandbox({ podSandboxId: id }), client.stopPodSandbox({ podSandboxId: id })]);
        await Promise.all([client.removePodSandbox({ podSandboxId: id }), client.removePodSandbox({ podSandboxId: id })]);

        assert.deepEqual(await pods({ id }), []);
      });

      test('an unknown pod has no status, and is removed', async () => {
        await client.removePodSandbox({ podSandboxId: unknownId });

        await assertFails(client.podSandboxStatus({ podSandboxId: unknownId }), status.NOT_FOUND);
      });

      ours('a ready pod can be resized again and again, an unknown or a stopped one cannot', async () => {
        const { id: podSandboxId } = await runPod();
        const linux = message(LinuxContainerResources, { cpuShares: 512n, memoryLimitInBytes: 64n << 20n });

        await client.updatePodSandboxResources({ podSandboxId, resources: linux });
        await client.updatePodSandboxResources({ podSandboxId, resources: linux, overhead: linux });

        await client.stopPodSandbox({ podSandboxId });
        await assertFails(client.updatePodSandboxResources({ podSandboxId, resources: linux }), status.FAILED_PRECONDITION);
        await assertFails(client.updatePodSandboxResources({ podSandboxId: unknownId, resources: linux }), status.NOT_FOUND);
      });

      ours('to stop an unknown pod is success', async () => {
        await client.stopPodSandbox({ podSandboxId: unknownId });
      });

      test('a pod is found by the beginning of its id', async () => {
        const { id } = await runPod();

        assert.equal((await client.podSandboxStatus({ podSandboxId: id.slice(0, 16) })).status?.id, id);
        assert.deepEqual(await pods({ id: id.slice(0, 16) }), [id]);
        await client.stopPodSandbox({ podSandboxId: id.slice(0, 16) });
        assert.equal(await podState(id), PodSandboxState.SANDBOX_NOTREADY);
      });

      ours('a beginning that two ids have is refused, and so is none at all', async () => {
        const byFirstDigit = Object.groupBy(await pods({}), (id) => id.slice(0, 1));
        let ambiguous = Object.entries(byFirstDigit).find(([, ids]) => ids!.length > 1)?.[0];
        while (ambiguous === undefined) {
          const { id } = await runPod();
          const digit = id.slice(0, 1);
          if (byFirstDigit[digit] !== undefined) ambiguous = digit;
          byFirstDigit[digit] = [id];
        }

        await assertFails(client.podSandboxStatus({ podSandboxId: ambiguous }), status.INVALID_ARGUMENT, /the prefix is ambiguous/);
        await assertFails(client.stopPodSandbox({ podSandboxId: ambiguous }), status.INVALID_ARGUMENT, /the prefix is ambiguous/);
        await assertFails(client.removePodSandbox({ podSandboxId: '' }), status.INVALID_ARGUMENT, /pod_sandbox_id is missing/);
      });

      test('pods are listed by id, state and labels, and by all of them together', async () => {
        const label = { set: `pods-${serial}` };
        const [ready, stopped, other] = [await runPod({ config: { labels: { ...label, n: '1' } } }), await runPod({ config: { labels: { ...label, n: '2' } } }), await runPod()];
        await client.stopPodSandbox({ podSandboxId: stopped.id });
        const [isReady, isStopped] = [{ state: PodSandboxState.SANDBOX_READY }, { state: PodSandboxState.SANDBOX_NOTREADY }];

        assert.deepEqual(await pods({ labelSelector: label }), [ready.id, stopped.id].sort());
        assert.deepEqual(await pods({ labelSelector: { ...label, n: '1' } }), [ready.id]);
        assert.deepEqual(await pods({ labelSelector: { ...label, n: '3' } }), []);
        assert.deepEqual(await pods({ labelSelector: label, state: isReady }), [ready.id]);
        assert.deepEqual(await pods({ labelSelector: label, state: isStopped }), [stopped.id]);
        assert.deepEqual(await pods({ id: ready.id, state: isStopped }), []);
        assert.deepEqual(await pods({ id: other.id, labelSelector: label }), []);
        assert.deepEqual(await pods({ id: unknownId }), []);
        assert.ok((await pods({})).length >= 3);
      });
    });

    describe('containers', () => {
      test('a created container is created and listed, as it was asked for; started, it runs', async () => {
        const pod = await runPod();
        const config = newContainerConfig({ config: { labels: { tier: 'front' }, annotations: { note: 'kept' } } });

        const id = await create(pod, config);

        const { status: of } = await client.containerStatus({ containerId: id });
        const { containers: [listed] } = await client.listContainers({ filter: message(ContainerFilter, { id }) });
        assert.match(id, /^[0-9a-f]{64}$/);
        assert.equal(listed?.podSandboxId, pod.id);
        for (const shown of [of, listed]) {
          assert.deepEqual([shown?.id, shown?.state, shown?.metadata, shown?.labels, shown?.annotations], [id, ContainerState.CONTAINER_CREATED, config.metadata, { tier: 'front' }, { note: 'kept' }]);
        }
        await client.startContainer({ containerId: id });
        assert.equal(await containerState(id), ContainerState.CONTAINER_RUNNING);
      });

      ours('the same container created again is the same container', async () => {
        const pod = await runPod();
        const config = newContainerConfig();

        const ids = [await create(pod, config), await create(pod, config), ...await Promise.all([create(pod, config), create(pod, config)])];

        assert.deepEqual(await containers({ podSandboxId: pod.id }), [...new Set(ids)]);
      });

      test('the name and attempt of a container are taken for another one', async () => {
        const pod = await runPod();
        await create(pod, newContainerConfig({ name: 'taken' }));

        await assertFails(create(pod, newContainerConfig({ name: 'taken', script: 'another' })), peer ? undefined : status.ALREADY_EXISTS);

        assert.notEqual(await create(pod, newContainerConfig({ name: 'taken', attempt: 1 })), '');
      });

      test('the same name in another pod is another container', async () => {
        const config = newContainerConfig();

        assert.notEqual(await create(await runPod(), config), await create(await runPod(), config));
      });

      test('there is no container in a pod that is unknown or was stopped', async () => {
        const pod = await runPod();
        await client.stopPodSandbox({ podSandboxId: pod.id });

        await assertFails(create(pod), peer ? undefined : status.FAILED_PRECONDITION);
        await assertFails(create({ ...pod, id: unknownId }), peer ? undefined : status.NOT_FOUND);
      });

      test('a container that has ended, or is not there, cannot be started', async () => {
        const exited = await run(await runPod(), newContainerConfig({ script: 'true' }));
        await until(async () => (await containerState(exited)) === ContainerState.CONTAINER_EXITED);

        await assertFails(client.startContainer({ containerId: exited }), peer ? undefined : status.FAILED_PRECONDITION);
        await assertFails(client.startContainer({ containerId: unknownId }), status.NOT_FOUND);
      });

      ours('a start that is asked for twice, at once or again, happens once', async () => {
        const containerId = await create(await runPod());

        await Promise.all([client.startContainer({ containerId }), client.startContainer({ containerId })]);
        const { status: first } = await client.containerStatus({ containerId });
        await client.startContainer({ containerId });

        assert.deepEqual([first!.state, (await client.containerStatus({ containerId })).status], [ContainerState.CONTAINER_RUNNING, first]);
      });

      test('a container can be stopped and removed again and again', async () => {
        const containerId = await run(await runPod());

        await Promise.all([client.stopContainer({ containerId, timeout: 0n }), client.stopContainer({ containerId, timeout: 0n })]);
        await client.stopContainer({ containerId, timeout: 0n });
        assert.equal(await containerState(containerId), ContainerState.CONTAINER_EXITED);

        await client.removeContainer({ containerId });
        await client.removeContainer({ containerId });
        await assertFails(client.containerStatus({ containerId }), status.NOT_FOUND);
      });

      test('a container is removed in any state', async () => {
        const pod = await runPod();
        const [created, running] = [await create(pod), await run(pod)];

        for (const containerId of [created, running]) await client.removeContainer({ containerId });

        assert.deepEqual(await containers({ podSandboxId: pod.id }), []);
      });

      test('changed limits are in the status, and the same change again is the same', async () => {
        const containerId = await run(await runPod());
        const linux = message(LinuxContainerResources, { cpuShares: 512n, memoryLimitInBytes: 64n << 20n });

        for (let time = 0; time < 2; time++) {
          await client.updateContainerResources({ containerId, linux });

          const { resources } = (await client.containerStatus({ containerId })).status ?? {};
          assert.deepEqual([resources?.linux?.cpuShares, resources?.linux?.memoryLimitInBytes], [512n, 64n << 20n]);
        }
      });

      test('an unknown container is removed', async () => {
        await client.removeContainer({ containerId: unknownId });
      });

      ours('to stop an unknown container is success', async () => {
        await client.stopContainer({ containerId: unknownId, timeout: 0n });
      });

      test('all that asks an unknown container is not found', async () => {
        const containerId = unknownId;

        await assertFails(client.containerStatus({ containerId }), status.NOT_FOUND);
        await assertFails(client.execSync({ containerId, cmd: ['true'], timeout: 1n }), status.NOT_FOUND);
        await assertFails(client.containerStats({ containerId }), status.NOT_FOUND);
        await assertFails(client.reopenContainerLog({ containerId }), status.NOT_FOUND);
        await assertFails(client.updateContainerResources({ containerId, linux: message(LinuxContainerResources) }), status.NOT_FOUND);
      });

      test('sessions are given a URL each, and an unknown container none', async () => {
        const pod = await runPod();
        const containerId = await run(pod);
        const streams = { tty: false, stdin: false, stdout: true, stderr: true };

        const asked = [client.exec({ containerId, cmd: ['true'], ...streams }), client.exec({ containerId, cmd: ['true'], ...streams }), client.attach({ containerId, ...streams }), client.portForward({ podSandboxId: pod.id, port: [80] })];
        const urls = (await Promise.all(asked)).map(({ url }) => url);
        assert.equal(new Set(urls).size, 4);
        for (const url of urls) assert.match(url, /^https?:\/\/[^/]+\/(exec|attach|portforward)\/./);
        await assertFails(client.exec({ containerId: unknownId, cmd: ['true'], ...streams }), status.NOT_FOUND);
        await assertFails(client.attach({ containerId: unknownId, ...streams }), status.NOT_FOUND);
        await assertFails(client.portForward({ podSandboxId: unknownId, port: [80] }), status.NOT_FOUND);
      });

      test('a container is found by the beginning of its id', async () => {
        const id = await run(await runPod());
        const containerId = id.slice(0, 16);

        assert.equal((await client.containerStatus({ containerId })).status?.id, id);
        assert.deepEqual(await containers({ id: containerId }), [id]);
        assert.equal(Buffer.from((await client.execSync({ containerId, cmd: ['echo', 'here'], timeout: 10n })).stdout).toString(), 'here\n');
        await client.stopContainer({ containerId, timeout: 0n });
        assert.equal(await containerState(id), ContainerState.CONTAINER_EXITED);
      });

      test('containers are listed by id, pod, state and labels, and by all of them together', async () => {
        const [pod, other] = [await runPod(), await runPod()];
        const label = { set: `containers-${serial}` };
        const labelled = (n: string): ContainerConfig => newContainerConfig({ config: { labels: { ...label, n } } });
        const [created, running, elsewhere] = [await create(pod, labelled('1')), await run(pod, labelled('2')), await run(other, labelled('3'))];
        const [isCreated, isRunning] = [{ state: ContainerState.CONTAINER_CREATED }, { state: ContainerState.CONTAINER_RUNNING }];

        assert.deepEqual(await containers({ podSandboxId: pod.id }), [created, running].sort());
        assert.deepEqual(await containers({ podSandboxId: pod.id.slice(0, 16) }), [created, running].sort());
        assert.deepEqual(await containers({ labelSelector: label }), [created, running, elsewhere].sort());
        assert.deepEqual(await containers({ labelSelector: label, state: isRunning }), [running, elsewhere].sort());
        assert.deepEqual(await containers({ labelSelector: label, state: isRunning, podSandboxId: pod.id }), [running]);
        assert.deepEqual(await containers({ labelSelector: { ...label, n: '1' }, state: isCreated }), [created]);
        assert.deepEqual(await containers({ labelSelector: { ...label, n: '1' }, state: isRunning }), []);
        assert.deepEqual(await containers({ id: created, podSandboxId: other.id }), []);
        assert.deepEqual(await containers({ id: unknownId }), []);
        assert.deepEqual(await containers({ podSandboxId: unknownId }), []);
      });

      test('stats are listed by id, pod and labels, of what runs', async () => {
        const pod = await runPod();
        const label = { set: `stats-${serial}` };
        const [running, created] = [await run(pod, newContainerConfig({ config: { labels: label } })), await create(pod)];
        const stats = async (filter: Partial<ContainerStatsFilter>) => (await client.listContainerStats({ filter: message(ContainerStatsFilter, filter) })).stats.map(({ attributes }) => attributes?.id);

        assert.equal((await client.containerStats({ containerId: running })).stats?.attributes?.id, running);
        assert.deepEqual(await stats({ id: running }), [running]);
        assert.deepEqual(await stats({ labelSelector: label }), [running]);
        assert.deepEqual(await stats({ id: running, podSandboxId: unknownId }), []);
        if (!peer) assert.deepEqual(await stats({ id: created }), []);
      });

      test('removing the pod removes its containers', async () => {
        const pod = await runPod();
        const ids = [await create(pod), await run(pod)];
        await client.stopPodSandbox({ podSandboxId: pod.id });

        await client.removePodSandbox({ podSandboxId: pod.id });

        for (const containerId of ids) await assertFails(client.containerStatus({ containerId }), status.NOT_FOUND);
        assert.deepEqual(await containers({ podSandboxId: pod.id }), []);
      });
    });

    describe('images', () => {
      const absent = 'registry.invalid/no/such:image';
      const spec = (image: string): { image: ImageSpec } => ({ image: message(ImageSpec, { image }) });
      const list = async (image: string) => (await client.listImages({ filter: message(ImageFilter, spec(image)) })).images.map(({ id }) => id);

      test('a pulled image has one id, by whatever name it is asked for', async () => {
        const { imageRef } = await client.pullImage(spec(subject.image));

        const { image } = await client.imageStatus(spec(subject.image));

        assert.equal(image?.id, imageRef);
        assert.deepEqual(image?.repoTags, [subject.image]);
        for (const name of [imageRef, image?.repoDigests[0] ?? '']) assert.equal((await client.imageStatus(spec(name))).image?.id, imageRef);
        assert.ok((await list('')).includes(imageRef));
      });

      ours('images are listed by name', async () => {
        const { image } = await client.imageStatus(spec(subject.image));

        assert.deepEqual(await list(subject.image), [image?.id]);
        assert.deepEqual(await list(absent), []);
      });

      test('an image that is not here has no status, and its removal succeeds', async () => {
        assert.equal((await client.imageStatus(spec(absent))).image, undefined);
        await client.removeImage(spec(absent));
      });

      test('a container of an image that is not here is not found', async () => {
        await assertFails(create(await runPod(), newContainerConfig({ image: absent })), status.NOT_FOUND);
      });

      test('the container names the image as every other call does', async () => {
        const { image } = await client.imageStatus(spec(subject.image));

        const { status: of } = await client.containerStatus({ containerId: await create(await runPod()) });

        assert.equal(of?.image?.image, subject.image);
        if (!peer) assert.deepEqual([of?.imageRef, of?.imageId], [image?.id, image?.id]);
      });
    });
  });
}

/** The call must fail, with this code if one is given and a message that fits. */
async function assertFails(call: Promise<unknown>, code?: status, pattern = /./): Promise<void> {
  const failed = await call.then(() => undefined, (error: unknown) => error as { code: number; details: string });
  assert.ok(failed !== undefined, 'the call succeeded');
  assert.match(failed.details, pattern);
  if (code !== undefined) assert.equal(failed.code, code, failed.details);
}

async function until(happened: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await happened())) {
    if (Date.now() > end) assert.fail('it did not happen within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
