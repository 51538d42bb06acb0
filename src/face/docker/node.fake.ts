/** A node with one pod and two containers in it, as an engine tells of it; and the Docker API over it, asked by a plain HTTP client. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as os from 'node:os';
import * as path from 'node:path';
import type { TestContext } from 'node:test';
import { failure } from '../../base/errors.ts';
import type { LogFields, Logger } from '../../base/log.ts';
import type { Engine } from '../../engine/engine.ts';
import { DiskUsageResponse } from '../../gen/admin.ts';
import {
  Container, ContainerStats, ContainerStatus, Image, ImageSpec, NamespaceMode, PodSandbox, PodSandboxStats, PodSandboxStatus, RuntimeFeatures, RuntimeHandler, RuntimeStatus,
} from '../../gen/cri.ts';
import { DockerClients } from './clients.ts';
import { serveDocker } from './docker-server.ts';
import type { DockerServer } from './docker-server.ts';

/** A message with nothing in it but these fields. */
export function only<T extends object>(type: { decode(bytes: Uint8Array): T }, fields: Partial<T> = {}): T {
  return { ...type.decode(new Uint8Array()), ...fields };
}

export const podId = 'a'.repeat(64);
export const mainId = 'b'.repeat(64);
export const doneId = `bc${'c'.repeat(62)}`;
export const imageId = `sha256:${'d'.repeat(64)}`;
/** 2026-01-31T12:00:00Z */
export const noon = 1_769_860_800_000_000_000n;
export const second = 1_000_000_000n;

const names = { 'io.kubernetes.pod.name': 'web', 'io.kubernetes.pod.namespace': 'shop', 'io.kubernetes.pod.uid': 'uid-1' };

export interface FakeNode {
  pods: PodSandbox[];
  containers: Container[];
  images: Image[];
  readonly podStatus: PodSandboxStatus;
  readonly statuses: Map<string, ContainerStatus>;
  readonly infos: Map<string, object>;
  readonly engine: Engine;
}

export function fakeNode(): FakeNode {
  const pod = only(PodSandbox, { id: podId, metadata: { name: 'web', namespace: 'shop', uid: 'uid-1', attempt: 2 }, createdAt: noon, labels: { ...names, app: 'web' }, annotations: { note: 'x' } });
  const container = (id: string, name: string, other: Partial<Container>): Container => only(Container, {
    id, podSandboxId: podId, metadata: { name, attempt: 1 }, image: only(ImageSpec, { image: imageId }), imageId, imageRef: imageId,
    labels: { ...names, 'io.kubernetes.container.name': name }, annotations: { 'io.kubernetes.container.hash': 'h' }, ...other,
  });
  const status = ({ id, metadata, state, createdAt, labels, annotations }: Container, other: Partial<ContainerStatus>): ContainerStatus =>
    only(ContainerStatus, { id, metadata, state, createdAt, labels, annotations, imageId, startedAt: createdAt + second, ...other });
  const main = container(mainId, 'main', { state: 1, createdAt: noon + second });
  const done = container(doneId, 'done', { state: 2, createdAt: noon + 2n * second });
  const node: Omit<FakeNode, 'engine'> = {
    pods: [pod],
    containers: [main, done],
    images: [only(Image, { id: imageId, repoTags: ['docker.io/library/web:1'], repoDigests: [`docker.io/library/web@sha256:${'e'.repeat(64)}`], size: 7n })],
    podStatus: only(PodSandboxStatus, {
      id: podId, network: { ip: '10.1.2.3', additionalIps: [{ ip: 'fd00::3' }] },
      linux: { namespaces: { options: { network: NamespaceMode.POD, pid: NamespaceMode.CONTAINER, ipc: NamespaceMode.POD, targetId: '', usernsOptions: undefined } } },
    }),
    statuses: new Map([[mainId, status(main, {})], [doneId, status(done, { exitCode: 3, finishedAt: noon + 5n * second, reason: 'OOMKilled', message: 'boom' })]]),
    infos: new Map(),
  };
  return Object.assign(node, { engine: engineOf(node) });
}

function engineOf(node: Omit<FakeNode, 'engine'>): Engine {
  const attributes = { id: '', metadata: undefined, labels: {}, annotations: {} };
  const infoOf = (id: string): Record<string, string> => ({ info: JSON.stringify(node.infos.get(id) ?? {}) });
  const methods = {
    pods: {
      list: async (filter?: { id: string }) => node.pods.filter(({ id }) => id.startsWith(filter?.id ?? '')),
      status: async (id: string) => ({ status: node.podStatus, info: infoOf(id), containers: [] }),
      stats: async () => only(PodSandboxStats, { attributes, linux: { cpu: undefined, memory: undefined, io: undefined, containers: [], process: { timestamp: 0n, processCount: { value: 4n } }, network: { timestamp: 0n, defaultInterface: { name: 'eth0', rxBytes: { value: 5n }, rxErrors: undefined, txBytes: { value: 6n }, txErrors: undefined }, interfaces: [] } } }),
    },
    containers: {
      list: async (filter?: { id: string }) => node.containers.filter(({ id }) => id.startsWith(filter?.id ?? '')),
      async status(id: string) {
        const status = node.statuses.get(id);
        if (status === undefined) throw failure('not-found', { act: 'ask for container', object: id });
        return { status, info: infoOf(id) };
      },
      stats: async () => only(ContainerStats, { attributes, memory: { timestamp: 0n, workingSetBytes: { value: 70n }, availableBytes: undefined, usageBytes: { value: 100n }, rssBytes: { value: 50n }, pageFaults: undefined, majorPageFaults: undefined, psi: undefined }, cpu: { timestamp: 0n, usageCoreNanoSeconds: { value: 2n ** 60n + 1n }, usageNanoCores: undefined, psi: undefined } }),
    },
    images: {
      list: async () => node.images,
      async status({ image: name }: ImageSpec) {
        const image = node.images.find(({ id, repoTags }) => id === name || id.slice(7) === name || repoTags.some((tag) => tag === name || tag === `docker.io/library/${name}`));
        return image && { image, info: infoOf(image.id) };
      },
      diskUsage: async () => only(DiskUsageResponse, {
        layers: [{ diffId: 'sha256:l1', bytes: 40n, inodes: 1n, imageIds: [imageId] }],
        images: [{ id: imageId, repoTags: [], repoDigests: [], totalBytes: 7n, exclusiveBytes: 4n, sharedBytes: 3n, layers: 1, containers: 2 }],
        containers: [{ id: mainId, name: 'main', pod: 'shop/web', bytes: 11n, inodes: 1n, measuredAt: 1n, measuredBy: 0 }],
      }),
    },
    node: {
      status: async () => ({
        status: only(RuntimeStatus, { conditions: [{ type: 'NetworkReady', status: false, reason: 'X', message: 'no network' }] }),
        handlers: [only(RuntimeHandler, { name: '' }), only(RuntimeHandler, { name: 'crun' })], features: only(RuntimeFeatures),
        info: { config: JSON.stringify({ root: '/r', runtime: { defaultHandler: 'crun', handlers: { crun: { path: '/usr/bin/crun' } } } }), host: '{"cgroups":"v2"}', snapshotter: '{"driver":"overlay"}' },
      }),
      runtimeConfig: async () => ({ linux: { cgroupDriver: 0 } }),
    },
    streams: {},
  };
  return methods as unknown as Engine; // what is not here would change something, and must not be called
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  readonly document: unknown;
}

export interface ServedNode {
  readonly node: FakeNode;
  readonly server: DockerServer;
  readonly clients: DockerClients;
  readonly socketPath: string;
  readonly lines: string[];
  /** `GET /path` and the whole of its answer. */
  ask(line: string, options?: { body?: string | Buffer; headers?: http.OutgoingHttpHeaders }): Promise<HttpAnswer>;
  /** The answer as it comes. */
  open(line: string): Promise<http.IncomingMessage>;
}

export async function servedNode(t: TestContext, node = fakeNode()): Promise<ServedNode> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'docker-api-'));
  const socketPath = path.join(folder, 'd.sock');
  const lines: string[] = [];
  const at = (level: string) => (message: string, fields: LogFields = {}) => void lines.push(`${level} ${message} ${String(fields['error'] ?? '')}`);
  const log: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), with: () => log };
  const clients = new DockerClients({ engine: node.engine, log });
  const peerOf = () => ({ pid: 7, uid: 0, program: '/usr/bin/agent', cgroup: `/kubepods/${mainId}` });
  const server = await serveDocker({ socketPath, engine: node.engine, clients, peerOf, log, version: '1.2.3' });
  const agent = new http.Agent({ keepAlive: true });
  t.after(async () => {
    agent.destroy();
    await server.close(1000);
    await fs.rm(folder, { recursive: true });
  });
  const open = (line: string, { body, headers }: { body?: string | Buffer; headers?: http.OutgoingHttpHeaders } = {}): Promise<http.IncomingMessage> => new Promise((resolve, reject) => {
    const [method, target] = line.split(' ');
    const request = http.request({ socketPath, method, path: target, agent, headers: { 'user-agent': 'test/1', ...headers } }, resolve);
    request.on('error', reject);
    request.end(body);
  });
  return {
    node, server, clients, socketPath, lines, open,
    async ask(line, options) {
      const answer = await open(line, options);
      const bytes = Buffer.concat(await answer.toArray() as Buffer[]);
      const text = bytes.toString();
      const isJson = answer.headers['content-type'] === 'application/json' && text !== '';
      return { status: answer.statusCode!, headers: answer.headers, bytes, text, document: isJson && !text.trimEnd().includes('\n') ? JSON.parse(text) : undefined };
    },
  };
}

/** The message of an answer that is a refusal of this status. */
export function messageWith(status: number, { status: got, document }: HttpAnswer): string {
  assert.equal(got, status);
  return (document as { message: string }).message;
}
