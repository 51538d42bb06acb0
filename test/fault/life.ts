/**
 * One pod's whole life as the kubelet would lead it, call by call: an image pulled, a pod with containers that end in every way, all
 * removed again. It can be broken off at any call and go on with the same call; in between it says whether everything
 * that was promised to it so far is still true.
 */
import assert from 'node:assert/strict';
import { existsSync, renameSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import { ContainerState, ImageSpec, LinuxContainerResources, Mount, NamespaceMode, PodSandboxState, PortMapping, Protocol } from '../../src/gen/cri.ts';
import type { ContainerConfig, NamespaceOption, PodSandboxConfig } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import type { Daemon } from '../support/daemon.ts';
import { busyboxImage, pushImage } from '../support/image.ts';
import type { Workload } from '../support/workload.ts';

interface Step {
  /** The RPC, and of which container. */
  readonly name: string;
  readonly call: () => Promise<unknown>;
}

interface LivingContainer {
  readonly config: ContainerConfig;
  id: string;
  /** What the daemon has confirmed; `unsure` while a call that changes it has no answer. */
  state: 'absent' | 'created' | 'running' | 'exited' | 'unsure';
  readonly exitCode: number;
}

/** Whether pods of the default handler can have a user namespace. */
export async function offersUserNamespaces({ client }: Workload): Promise<boolean> {
  const { runtimeHandlers } = await client.status();
  return runtimeHandlers.find(({ name }) => name === '')?.features?.userNamespaces === true;
}

export class Life {
  readonly #daemon: Daemon;
  readonly #image: string;
  readonly #pod: PodSandboxConfig;
  readonly #containers: Readonly<Record<'polite' | 'stubborn' | 'removed', LivingContainer>>;
  readonly #steps: readonly Step[];
  #done = 0;
  #podId = '';
  #podState: 'absent' | 'ready' | 'stopped' | 'unsure' = 'absent';
  #imageState: 'absent' | 'here' | 'unsure' = 'absent';

  private constructor(node: Workload, image: string, namespaces: Partial<NamespaceOption>) {
    this.#daemon = node.daemon;
    this.#image = image;
    this.#pod = node.podConfig({ cgroupParent: '', namespaces, config: { portMappings: [message(PortMapping, { protocol: Protocol.TCP, containerPort: 80, hostPort: hostPort() })] } });
    const pod = { id: '', config: this.#pod };
    const container = (script: string, exitCode: number): LivingContainer => {
      const mounts = [message(Mount, { containerPath: '/image', readonly: true, image: message(ImageSpec, { image }) })];
      return { config: node.containerConfig(pod, { image, script, config: { mounts } }), id: '', state: 'absent', exitCode };
    };
    this.#containers = {
      polite: container('trap "exit 7" TERM; while true; do sleep 0.02; done', 7),
      stubborn: container('sleep 86399', 137),
      removed: container('sleep 86399', 137),
    };
    this.#steps = this.#plan(node);
  }

  /** A life to be led, with an image of its own in the registry. `userNamespace`: in one of its own, where the OCI runtime can. */
  static async prepare(node: Workload, { userNamespace }: { userNamespace: boolean }): Promise<Life> {
    const name = `test/life-${++prepared}:1`;
    const image = await pushImage(node.registry, name, busyboxImage({ layers: [[{ path: 'etc/motd', content: name }]], config: { Volumes: { '/fresh': {}, '/etc': {} } } }));
    const range = [{ containerId: 0, hostId: 200_000, length: 65_536 }];
    const usernsOptions = userNamespace && (await offersUserNamespaces(node)) ? { mode: NamespaceMode.POD, uids: range, gids: range } : undefined;
    return new Life(node, image, { pid: NamespaceMode.POD, usernsOptions });
  }

  #plan({ client }: Workload): Step[] {
    const { polite, stubborn, removed } = this.#containers;
    const image = message(ImageSpec, { image: this.#image });
    const each = (name: string, c: LivingContainer, target: LivingContainer['state'], call: () => Promise<unknown>): Step => ({
      name: `${name} ${Object.entries(this.#containers).find(([, one]) => one === c)![0]}`,
      call: async () => {
        const before = c.state;
        c.state = 'unsure';
        await call();
        c.state = target === 'unsure' ? before : target;
      },
    });
    const create = (c: LivingContainer): Step => each('CreateContainer', c, 'created', async () => {
      c.id = (await client.createContainer({ podSandboxId: this.#podId, config: c.config, sandboxConfig: this.#pod })).containerId;
    });
    const start = (c: LivingContainer): Step => each('StartContainer', c, 'running', async () => await client.startContainer({ containerId: c.id }).catch(async (error: unknown) => {
      // The call before may have got through without an answer.
      const { status: found } = await client.containerStatus({ containerId: c.id });
      if ((error as { code?: number }).code !== status.FAILED_PRECONDITION || found?.state !== ContainerState.CONTAINER_RUNNING) throw error;
    }));
    const stop = (c: LivingContainer, timeout: bigint): Step => each('StopContainer', c, 'exited', () => client.stopContainer({ containerId: c.id, timeout }));
    const remove = (c: LivingContainer): Step => each('RemoveContainer', c, 'absent', () => client.removeContainer({ containerId: c.id }));
    return [
      { name: 'PullImage', call: async () => {
        this.#imageState = 'unsure';
        await client.pullImage({ image });
        this.#imageState = 'here';
      } },
      { name: 'RunPodSandbox', call: async () => {
        this.#podState = 'unsure';
        this.#podId = (await client.runPodSandbox({ config: this.#pod })).podSandboxId;
        this.#podState = 'ready';
      } },
      create(polite), start(polite), create(stubborn), start(stubborn), create(removed), start(removed),
      { name: 'ExecSync polite', call: async () => assert.equal((await client.execSync({ containerId: polite.id, cmd: ['cat', '/image/etc/motd'], timeout: 10n })).exitCode, 0) },
      { name: 'UpdateContainerResources polite', call: () => client.updateContainerResources({ containerId: polite.id, linux: message(LinuxContainerResources, { cpuShares: 100n }) }) },
      { name: 'UpdatePodSandboxResources', call: () => client.updatePodSandboxResources({ podSandboxId: this.#podId, resources: message(LinuxContainerResources, { cpuShares: 100n }) }) },
      { name: 'ReopenContainerLog polite', call: async () => {
        const { status: found } = await client.containerStatus({ containerId: polite.id });
        if (!existsSync(`${found!.logPath}.1`)) renameSync(found!.logPath, `${found!.logPath}.1`);
        await client.reopenContainerLog({ containerId: polite.id });
        assert.ok(existsSync(found!.logPath));
      } },
      stop(polite, 20n), remove(polite), stop(stubborn, 0n), remove(removed),
      { name: 'StopPodSandbox', call: async () => {
        this.#podState = 'unsure';
        stubborn.state = 'unsure';
        await client.stopPodSandbox({ podSandboxId: this.#podId });
        [this.#podState, stubborn.state] = ['stopped', 'exited'];
      } },
      { name: 'RemovePodSandbox', call: async () => {
        this.#podState = stubborn.state = 'unsure';
        await client.removePodSandbox({ podSandboxId: this.#podId });
        this.#podState = stubborn.state = 'absent';
      } },
      { name: 'RemoveImage', call: async () => {
        this.#imageState = 'unsure';
        await client.removeImage({ image });
        this.#imageState = 'absent';
      } },
    ];
  }

  /** The names of all calls, in order. */
  get calls(): readonly string[] {
    return this.#steps.map(({ name }) => name);
  }

  /** The call that comes next; undefined when the life is over. */
  get next(): string | undefined {
    return this.#steps[this.#done]?.name;
  }

  /** Makes the next call. When it throws, that call is the next one again. */
  async goOn(): Promise<void> {
    await this.#steps[this.#done]!.call();
    this.#done++;
  }

  /** Throws unless everything that a call has confirmed is true: nothing is lost, and nothing is back. */
  async assertNothingLost(): Promise<void> {
    const { client } = this.#daemon;
    if (this.#imageState !== 'unsure') {
      const { image } = await client.imageStatus({ image: message(ImageSpec, { image: this.#image }) });
      assert.equal(image !== undefined, this.#imageState === 'here', `image ${this.#image} should be ${this.#imageState}`);
    }
    if (this.#podState !== 'unsure' && this.#podId !== '') {
      const pod = (await client.listPodSandbox()).items.find(({ id }) => id === this.#podId);
      const found = pod === undefined ? 'absent' : pod.state === PodSandboxState.SANDBOX_READY ? 'ready' : 'stopped';
      assert.equal(found, this.#podState, `pod ${this.#podId}`);
    }
    for (const [name, container] of Object.entries(this.#containers)) await this.#assertAsPromised(name, container);
  }

  async #assertAsPromised(name: string, { id, state, exitCode }: LivingContainer): Promise<void> {
    if (id === '' || state === 'unsure') return;
    const { client } = this.#daemon;
    const listed = (await client.listContainers()).containers.find((container) => container.id === id);
    if (state === 'absent') return assert.equal(listed, undefined, `container ${name} is back`);
    assert.ok(listed !== undefined, `container ${name} is lost`);
    assert.equal(stateWords[listed.state], state, `container ${name}`);
    if (state !== 'exited') return;
    const { status: found } = await client.containerStatus({ containerId: id });
    assert.equal(found?.exitCode, exitCode, `the exit code of container ${name} (${found?.reason})`);
  }
}

const stateWords: Readonly<Record<number, string>> = { [ContainerState.CONTAINER_CREATED]: 'created', [ContainerState.CONTAINER_RUNNING]: 'running', [ContainerState.CONTAINER_EXITED]: 'exited' };

let prepared = 0;
let ports = 0;

/** Ports of pods that live at the same time must differ; those of two test runs at once on one machine too. */
function hostPort(): number {
  return 21_000 + ((process.pid * 97 + ports++) % 9_000);
}
