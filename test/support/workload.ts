/**
 * A daemon with a registry and a small image, and short words for what tests do with them: run a pod, run a container in it, ask
 * inside, wait for its end, read its log. One for each file of tests.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { status } from '@grpc/grpc-js';
import { ContainerState, ImageSpec, LinuxContainerConfig, LinuxContainerResources, LinuxContainerSecurityContext } from '../../src/gen/cri.ts';
import type { ContainerConfig, ContainerStatus, PodSandboxConfig } from '../../src/gen/cri.ts';
import type { CriClient } from './cri-client.ts';
import { containerConfig, message, podConfig, type ContainerOptions, type PodOptions } from './cri-messages.ts';
import { startDaemon, type Daemon, type DaemonOptions } from './daemon.ts';
import { busyboxImage, pushImage } from './image.ts';
import { patience } from './patience.ts';
import { startRegistry, type Registry } from './registry.ts';

export interface WorkloadPod {
  readonly id: string;
  readonly config: PodSandboxConfig;
}

export interface WorkloadContainer extends Partial<Omit<ContainerOptions, 'command'>> {
  /** What `sh -c` runs; without it the container sleeps. */
  readonly script?: string;
  readonly command?: readonly string[];
  readonly security?: Partial<LinuxContainerSecurityContext>;
  readonly resources?: Partial<LinuxContainerResources>;
}

export interface LogLine {
  readonly stream: string;
  /** `F` for a whole line, `P` for a part of one. */
  readonly tag: string;
  readonly text: string;
}

/** Starts registry and daemon, and pulls the image. Ends what it started when a later step fails. */
export async function startWorkload(options: DaemonOptions = {}): Promise<Workload> {
  const registry = await startRegistry();
  try {
    const image = await pushImage(registry, 'test/busybox:1', busyboxImage());
    const daemon = await startDaemon({ registriesConf: `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`, ...options });
    const workload = new Workload({ daemon, registry, image });
    try {
      await workload.pull(image);
    } catch (error) {
      await daemon.stopAndClean();
      throw error;
    }
    return workload;
  } catch (error) {
    await registry.stop();
    throw error;
  }
}

export class Workload {
  readonly daemon: Daemon;
  readonly client: CriClient;
  readonly registry: Registry;
  /** The reference of the busybox image, which is here already. */
  readonly image: string;
  #serial = 0;

  constructor(parts: { daemon: Daemon; registry: Registry; image: string }) {
    this.daemon = parts.daemon;
    this.client = parts.daemon.client;
    this.registry = parts.registry;
    this.image = parts.image;
  }

  /** Ends and removes everything. For `after`. */
  async stop(): Promise<void> {
    try {
      await this.daemon.stopAndClean();
    } finally {
      await this.registry.stop();
    }
  }

  async pull(image: string): Promise<string> {
    return (await this.client.pullImage({ image: message(ImageSpec, { image }) })).imageRef;
  }

  /** The configuration of a pod with a name, a log directory and a cgroup parent of its own. */
  podConfig(options: Partial<PodOptions> = {}): PodSandboxConfig {
    const name = options.name ?? `pod-${++this.#serial}`;
    return podConfig({ logDirectory: path.join(this.daemon.paths.logs, name), cgroupParent: this.daemon.podCgroup(name), ...options, name });
  }

  async runPod(options: Partial<PodOptions> = {}, runtimeHandler = ''): Promise<WorkloadPod> {
    const config = this.podConfig(options);
    const { podSandboxId: id } = await this.client.runPodSandbox({ config, runtimeHandler });
    return { id, config };
  }

  async removePod({ id }: WorkloadPod): Promise<void> {
    await this.client.stopPodSandbox({ podSandboxId: id });
    await this.client.removePodSandbox({ podSandboxId: id });
  }

  containerConfig(pod: WorkloadPod, { script, security, resources, ...options }: WorkloadContainer): ContainerConfig {
    const command = options.command ?? (script === undefined ? ['sleep', '86399'] : ['sh', '-c', script]);
    const namespaceOptions = pod.config.linux?.securityContext?.namespaceOptions;
    const linux = message(LinuxContainerConfig, {
      securityContext: message(LinuxContainerSecurityContext, { namespaceOptions, ...security }),
      ...(resources === undefined ? {} : { resources: message(LinuxContainerResources, resources) }),
    });
    return containerConfig({ name: `container-${++this.#serial}`, image: this.image, ...options, command, config: { linux, ...options.config } });
  }

  /** Makes a container and does not start it. */
  async createContainer(pod: WorkloadPod, options: WorkloadContainer = {}): Promise<string> {
    const config = this.containerConfig(pod, options);
    const { containerId } = await this.client.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
    return containerId;
  }

  async runContainer(pod: WorkloadPod, options: WorkloadContainer = {}): Promise<string> {
    const containerId = await this.createContainer(pod, options);
    await this.client.startContainer({ containerId });
    return containerId;
  }

  /** Runs a container to its end and returns what it wrote to its standard output. */
  async outputOf(pod: WorkloadPod, options: WorkloadContainer): Promise<string> {
    const id = await this.runContainer(pod, options);
    await this.ended(id);
    return textOf((await this.log(id)).filter(({ stream }) => stream === 'stdout'));
  }

  /** What a shell command inside a container wrote; it must succeed. */
  async sh(containerId: string, script: string): Promise<string> {
    const { stdout, stderr, exitCode } = await this.client.execSync({ containerId, cmd: ['sh', '-c', script], timeout: 30n });
    assert.equal(exitCode, 0, `${script}: ${Buffer.from(stderr).toString()}`);
    return Buffer.from(stdout).toString().trimEnd();
  }

  async statusOf(containerId: string): Promise<ContainerStatus> {
    const { status } = await this.client.containerStatus({ containerId });
    assert.ok(status);
    return status;
  }

  /** The address that the pod's status tells. */
  async addressOf(pod: WorkloadPod): Promise<string> {
    return (await this.client.podSandboxStatus({ podSandboxId: pod.id })).status?.network?.ip ?? '';
  }

  /** Waits until a container has exited. */
  async ended(containerId: string, deadlineMs = 20_000): Promise<ContainerStatus> {
    return eventually(async () => {
      const status = await this.statusOf(containerId);
      assert.equal(status.state, ContainerState.CONTAINER_EXITED, `container ${status.metadata?.name} has not exited`);
      return status;
    }, deadlineMs);
  }

  /** The lines of a container's log file now. */
  async log(containerId: string): Promise<LogLine[]> {
    return logLines((await this.statusOf(containerId)).logPath);
  }
}

/** Reads a log file in the CRI format. */
export function logLines(file: string): LogLine[] {
  return readFileSync(file, 'utf8').split('\n').slice(0, -1).map((line) => {
    const [, stream, tag, text] = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d) (stdout|stderr) ([FP]) ?(.*)$/s.exec(line) ?? [];
    assert.ok(stream !== undefined, `not a line of a CRI log: ${line}`);
    return { stream, tag: tag!, text: text! };
  });
}

/** What a process wrote, put together again from the lines of its log. */
export function textOf(lines: readonly LogLine[]): string {
  return lines.map(({ text, tag }) => (tag === 'F' ? `${text}\n` : text)).join('');
}

/** Repeats `probe` until it does not throw; at the deadline its last error is thrown. */
export async function eventually<T>(probe: () => Promise<T> | T, deadlineMs = 10_000): Promise<T> {
  const until = Date.now() + deadlineMs * patience;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (Date.now() > until) throw error;
    }
    await sleep(20);
  }
}

/** The call must fail with this gRPC code and a message that fits. */
export async function assertFails(call: Promise<unknown>, code: status, pattern: RegExp): Promise<void> {
  const failed = await call.then(() => undefined, (error: unknown) => error as { code: number; details: string });
  assert.ok(failed !== undefined, `the call succeeded; it should have failed with ${String(pattern)}`);
  assert.match(failed.details, pattern);
  assert.equal(failed.code, code, failed.details);
}
