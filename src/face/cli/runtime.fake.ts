/** A CRI runtime in memory, behind a real socket: for tests of the commands, and to let single calls fail. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall, type ServerWritableStream, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { AdminService, type ClearLeaksRequest, type ClearLeaksResponse, type DiskUsageResponse, type ListDockerClientsResponse, type ListLeaksResponse, type Pull, type WatchPullsRequest, type WatchPullsResponse } from '../../gen/admin.ts';
import { ContainerState, ImageServiceService, PodSandboxState, RuntimeServiceService } from '../../gen/cri.ts';
import type {
  AttachRequest, CheckpointContainerRequest, CheckpointPodRequest, Container, CreateContainerRequest, ExecRequest, ExecSyncRequest, Image, ListContainersRequest, ListPodSandboxRequest, PodSandbox, PullImageRequest, RestorePodRequest, RunPodSandboxRequest,
} from '../../gen/cri.ts';
import { runCliCommand } from './commands.ts';
import type { CliIo } from './io.ts';

export class FakeRuntime {
  readonly pods = new Map<string, PodSandbox>();
  readonly containers = new Map<string, Container & { exitCode: number; logPath: string }>();
  readonly images: Image[] = [];
  /** `method argument`, in the order of the calls that change something. */
  readonly calls: string[] = [];
  readonly pulls: PullImageRequest[] = [];
  readonly created: CreateContainerRequest[] = [];
  /** Calls that fail, by what `calls` would say, with their message. */
  readonly failures = new Map<string, string>();
  /** What our own API says; without it the runtime is somebody else's. */
  admin: { readonly pulls: Pull[][]; readonly usage?: DiskUsageResponse; readonly leaks?: ListLeaksResponse; readonly dockerClients?: ListDockerClientsResponse; readonly stuck?: string } | undefined;
  /** Exit codes of containers that end at once, by name. */
  readonly exits = new Map<string, number>();
  /** What Exec, Attach and PortForward answer with, one after the other. */
  readonly urls: string[] = [];
  /** Ids of containers that have a terminal. */
  readonly terminalContainers = new Set<string>();
  readonly socket: string;

  constructor(socket: string) {
    this.socket = socket;
  }

  /** The methods by their names in the generated definitions, to be replaced at will; what is not here is unimplemented. */
  readonly methods: Record<string, (request: never) => unknown> = {
    version: () => ({ version: '0.1.0', runtimeName: 'fake', runtimeVersion: '9', runtimeApiVersion: 'v1' }),
    listPodSandbox: ({ filter }: ListPodSandboxRequest) => ({
      items: [...this.pods.values()].filter((pod) => Object.entries(filter?.labelSelector ?? {}).every(([key, value]) => pod.labels[key] === value)),
    }),
    listContainers: ({ filter }: ListContainersRequest) => ({
      containers: [...this.containers.values()].filter((one) => !filter?.podSandboxId || one.podSandboxId === filter.podSandboxId),
    }),
    listImages: () => ({ images: this.images }),
    imageStatus: ({ image }: { image: { image: string } }) => ({ image: this.images.find((one) => one.id === image.image || one.repoTags.includes(image.image)), info: {} }),
    pullImage: (request: PullImageRequest) => {
      this.#change(`pull ${request.image!.image}`);
      this.pulls.push(request);
      this.addImage(request.image!.image);
      return { imageRef: `sha256:${this.#id('image')}` };
    },
    removeImage: ({ image }: { image: { image: string } }) => this.#change(`rmi ${image.image}`),
    runPodSandbox: ({ config }: RunPodSandboxRequest) => {
      this.#change(`run ${config!.metadata!.name}`);
      const id = this.#id('pod');
      this.pods.set(id, { id, metadata: config!.metadata, state: PodSandboxState.SANDBOX_READY, createdAt: this.#now(), labels: config!.labels, annotations: config!.annotations, runtimeHandler: '' });
      return { podSandboxId: id };
    },
    podSandboxStatus: ({ podSandboxId }: { podSandboxId: string }) => ({
      status: { ...this.pods.get(podSandboxId), network: { ip: '10.1.2.3', additionalIps: [] }, linux: undefined }, info: { info: '{"pid":7}' }, containersStatuses: [], timestamp: 0n,
    }),
    stopPodSandbox: ({ podSandboxId }: { podSandboxId: string }) => {
      this.#change(`stop pod ${this.pods.get(podSandboxId)!.metadata!.name}`);
      this.pods.get(podSandboxId)!.state = PodSandboxState.SANDBOX_NOTREADY;
      return {};
    },
    removePodSandbox: ({ podSandboxId }: { podSandboxId: string }) => {
      this.#change(`rm pod ${this.pods.get(podSandboxId)!.metadata!.name}`);
      this.pods.delete(podSandboxId);
      for (const one of this.containers.values()) if (one.podSandboxId === podSandboxId) this.containers.delete(one.id);
      return {};
    },
    createContainer: (request: CreateContainerRequest) => {
      const { podSandboxId, config } = request;
      this.#change(`create ${config!.metadata!.name}`);
      this.created.push(request);
      const id = this.#id('container');
      this.containers.set(id, {
        id, podSandboxId, metadata: config!.metadata, image: config!.image, imageRef: config!.image!.image, imageId: config!.image!.image, state: ContainerState.CONTAINER_CREATED,
        createdAt: this.#now(), labels: config!.labels, annotations: config!.annotations, exitCode: 0, logPath: path.join(request.sandboxConfig!.logDirectory, config!.logPath),
      });
      return { containerId: id };
    },
    startContainer: ({ containerId }: { containerId: string }) => {
      const one = this.containers.get(containerId)!;
      this.#change(`start ${one.metadata!.name}`);
      const exit = this.exits.get(one.metadata!.name);
      one.state = exit === undefined ? ContainerState.CONTAINER_RUNNING : ContainerState.CONTAINER_EXITED;
      one.exitCode = exit ?? 0;
      return {};
    },
    stopContainer: ({ containerId, timeout }: { containerId: string; timeout: bigint }) => {
      this.#change(`stop ${this.containers.get(containerId)!.metadata!.name} after ${timeout}`);
      this.containers.get(containerId)!.state = ContainerState.CONTAINER_EXITED;
      return {};
    },
    removeContainer: ({ containerId }: { containerId: string }) => {
      this.#change(`rm ${this.containers.get(containerId)!.metadata!.name}`);
      this.containers.delete(containerId);
      return {};
    },
    containerStatus: ({ containerId }: { containerId: string }) => {
      const one = this.containers.get(containerId)!;
      return { status: { ...one, startedAt: 0n, finishedAt: 0n, reason: '', message: '', mounts: [], resources: undefined, user: undefined, stopSignal: 0 }, info: { info: JSON.stringify({ runtimeSpec: { process: { terminal: this.terminalContainers.has(containerId) } } }) } };
    },
    execSync: ({ cmd, timeout }: ExecSyncRequest) => {
      this.#change(`exec ${cmd.join(' ')} ${timeout}`);
      return { stdout: Buffer.from('out\n'), stderr: Buffer.from('err\n'), exitCode: 7 };
    },
    checkpointContainer: ({ location }: CheckpointContainerRequest) => this.#change(`checkpoint ${location}`),
    checkpointPod: ({ outputPath }: CheckpointPodRequest) => this.#change(`checkpoint pod ${outputPath}`),
    restorePod: ({ checkpointPath }: RestorePodRequest) => this.#change(`restore pod ${checkpointPath}`),
    exec: ({ cmd, ...wanted }: ExecRequest) => this.#session(`exec ${cmd.join(' ')}`, wanted),
    attach: (wanted: AttachRequest) => this.#session('attach', wanted),
    portForward: ({ port }: { port: number[] }) => this.#session(`port-forward ${port.join()}`, {}),
  };

  addImage(reference: string): void {
    if (this.images.some((one) => one.repoTags.includes(reference))) return;
    this.images.push({ id: `sha256:${this.#id('image')}`, repoTags: [reference], repoDigests: [], size: 1_500_000n, uid: undefined, username: '', spec: undefined, pinned: false });
  }

  #session(what: string, wanted: Partial<Record<'tty' | 'stdin' | 'stdout' | 'stderr', boolean>>): object {
    this.#change([what, ...(['tty', 'stdin', 'stdout', 'stderr'] as const).filter((name) => wanted[name])].join(' '));
    return { url: this.urls.shift() ?? '' };
  }

  #made = 0;
  #id(kind: string): string {
    return `${Buffer.from(kind).toString('hex').slice(0, 4)}${String(++this.#made).padStart(60, '0')}`;
  }

  #now(): bigint {
    return BigInt(Date.now()) * 1_000_000n + BigInt(this.#made);
  }

  #change(call: string): object {
    const failure = this.failures.get(call);
    if (failure !== undefined) throw new Error(failure);
    this.calls.push(call);
    return {};
  }
}

/** Each watch gets the snapshots one after the other, then stays open unless it was for one only. */
function adminHandlers({ admin }: FakeRuntime): UntypedServiceImplementation {
  return {
    watchPulls(stream: ServerWritableStream<WatchPullsRequest, WatchPullsResponse>) {
      for (const pulls of admin!.pulls) stream.write({ pulls });
      if (stream.request.intervalMs === 0) stream.end();
    },
    diskUsage: (_call: unknown, callback: sendUnaryData<DiskUsageResponse>) => callback(null, admin!.usage),
    listDockerClients: (_call: unknown, callback: sendUnaryData<ListDockerClientsResponse>) => callback(null, admin!.dockerClients),
    listLeaks: (_call: unknown, callback: sendUnaryData<ListLeaksResponse>) => callback(null, admin!.leaks),
    clearLeaks: ({ request }: ServerUnaryCall<ClearLeaksRequest, ClearLeaksResponse>, callback: sendUnaryData<ClearLeaksResponse>) =>
      callback(null, { cleared: request.leaks.map((leak) => ({ leak, error: leak.name === admin!.stuck ? 'it is busy' : '' })) }),
  };
}

/** A fake runtime with a socket of its own, gone after the test. */
export async function fakeRuntime(t: TestContext, admin?: FakeRuntime['admin']): Promise<FakeRuntime & { folder: string }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'gantry-cli-'));
  const fake = Object.assign(new FakeRuntime(path.join(folder, 'cri.sock')), { folder, admin });
  const server = new Server();
  const handlers = Object.fromEntries(
    Object.keys(fake.methods).map((name) => [
      name,
      (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>) => {
        try {
          callback(null, fake.methods[name]!(call.request as never));
        } catch (error) {
          callback({ code: status.UNKNOWN, details: (error as Error).message });
        }
      },
    ]),
  );
  server.addService(RuntimeServiceService, handlers);
  server.addService(ImageServiceService, handlers);
  if (admin !== undefined) server.addService(AdminService, adminHandlers(fake));
  await new Promise<void>((resolve, reject) => server.bindAsync(`unix:${fake.socket}`, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())));
  t.after(async () => {
    server.forceShutdown();
    await rm(folder, { recursive: true, force: true });
  });
  return fake;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command as the main program does, without terminals; only an `answer` comes from one. */
export async function runCommand(
  socket: string, argv: readonly string[], more: { stdin?: string | Readable; answer?: string; env?: Record<string, string>; signal?: AbortSignal; terminal?: CliIo['terminal'] } = {},
): Promise<Ran> {
  const stdin = typeof more.stdin === 'object' ? more.stdin : new PassThrough().end(more.answer ?? more.stdin ?? '');
  if (more.answer !== undefined) Object.assign(stdin, { isTTY: true });
  const streams = { stdout: new PassThrough(), stderr: new PassThrough(), stdin };
  const written = { stdout: '', stderr: '' };
  streams.stdout.on('data', (chunk: Buffer) => (written.stdout += chunk.toString()));
  streams.stderr.on('data', (chunk: Buffer) => (written.stderr += chunk.toString()));
  const code = await runCliCommand(argv, {
    ...streams, env: { GANTRY_SOCKET: socket, ...more.env }, stdoutIsTerminal: false, stderrIsTerminal: false, signal: more.signal ?? new AbortController().signal, version: '1.2.3', terminal: more.terminal,
  });
  await new Promise((resolve) => setImmediate(resolve));
  return { code, out: written.stdout, err: written.stderr };
}
