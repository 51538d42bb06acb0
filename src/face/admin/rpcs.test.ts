/** Every RPC of the admin service through a real client over the socket: what the engine says, what comes back, what is refused. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Client, credentials, status } from '@grpc/grpc-js';
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import type { LogFields, Logger } from '../../base/log.ts';
import type { Engine, ImageEngine, ImageSource, NodeEngine } from '../../engine/engine.ts';
import { AdminService, LayerPhase, MeasuredBy } from '../../gen/admin.ts';
import type { AdoptedImage, AdoptImagesRequest, ClearLeaksResponse, DiskUsageResponse, DockerClient, Leak, ListDockerClientsResponse, ListLeaksResponse, Pull, WatchPullsRequest, WatchPullsResponse } from '../../gen/admin.ts';
import { serveGrpc } from '../grpc/server.ts';
import type { GrpcServer } from '../grpc/server.ts';
import { adminService } from './admin-service.ts';

interface Served {
  readonly server: GrpcServer;
  readonly lines: string[];
  watch(request: Partial<WatchPullsRequest>): ClientReadableStream<WatchPullsResponse>;
  adopt(request: Partial<AdoptImagesRequest>): ClientReadableStream<AdoptedImage>;
  diskUsage(): Promise<DiskUsageResponse>;
  listLeaks(): Promise<ListLeaksResponse>;
  clearLeaks(leaks: Leak[]): Promise<ClearLeaksResponse>;
  listDockerClients(): Promise<ListDockerClientsResponse>;
}

interface UnaryMethod<Request, Answer> {
  readonly path: string;
  requestSerialize(request: Request): Buffer;
  responseDeserialize(bytes: Buffer): Answer;
}

async function served(t: TestContext, images: Partial<ImageEngine>, node: Partial<NodeEngine> = {}, dockerClients?: () => DockerClient[]): Promise<Served> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'admin-rpcs-'));
  const socketPath = path.join(folder, 's');
  const lines: string[] = [];
  const at = (level: string) => (message: string, fields: LogFields = {}) => void lines.push([level, message, fields['image'], fields['code']].join(' '));
  const log: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), with: () => log };
  const services = [adminService({ engine: { images, node } as Engine, dockerClients })];
  const server = await serveGrpc({ socketPath, services, log, maxMessageBytes: 1 << 20 });
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
  const ask = <Request, Answer>({ path: method, requestSerialize, responseDeserialize }: UnaryMethod<Request, Answer>, request: Request): Promise<Answer> => new Promise((resolve, reject) => {
    client.makeUnaryRequest(method, requestSerialize, responseDeserialize, request, (error: ServiceError | null, answer) => (error === null ? resolve(answer!) : reject(error)));
  });
  t.after(async () => {
    client.close();
    await server.close(1000);
    await fs.rm(folder, { recursive: true });
  });
  return {
    lines, server,
    watch(request) {
      const { path: method, requestSerialize, responseDeserialize } = AdminService.watchPulls;
      return client.makeServerStreamRequest(method, requestSerialize, responseDeserialize, { image: '', intervalMs: 0, ...request });
    },
    adopt(request) {
      const { path: method, requestSerialize, responseDeserialize } = AdminService.adoptImages;
      return client.makeServerStreamRequest(method, requestSerialize, responseDeserialize, { from: 'docker', root: '', namespace: '', dryRun: false, ...request });
    },
    diskUsage: () => ask(AdminService.diskUsage, {}),
    listLeaks: () => ask(AdminService.listLeaks, {}),
    clearLeaks: (leaks) => ask(AdminService.clearLeaks, { leaks }),
    listDockerClients: () => ask(AdminService.listDockerClients, {}),
  };
}

function pull(image: string, bytesReceived = 0n): Pull {
  const layer = { digest: 'sha256:ab', phase: LayerPhase.LAYER_DOWNLOADING, bytesWanted: 2n ** 40n, bytesReceived, bytesPerSecond: 7n, host: 'mirror.example' };
  return { image, startedAt: 5n, stage: 'layers', layers: [layer] };
}

test('the pulls in flight are told once, all or those of one name', async (t) => {
  const pulls = [pull('web:1'), pull('db:2')];
  const { watch } = await served(t, { pulls: async () => pulls });

  assert.deepEqual(await watch({}).toArray(), [{ pulls }]);
  assert.deepEqual(await watch({ image: 'db:2' }).toArray(), [{ pulls: [pulls[1]] }]);
  assert.deepEqual(await watch({ image: 'db' }).toArray(), [{ pulls: [] }]);
});

test('a watch tells them again and again until its caller goes away, which is no news', async (t) => {
  let received = 0n;
  const { watch, lines } = await served(t, { pulls: async () => [pull('web:1', received++)] });
  const stream = watch({ image: 'web:1', intervalMs: 100 });
  const seen: bigint[] = [];

  await assert.rejects(async () => {
    for await (const { pulls } of stream as AsyncIterable<WatchPullsResponse>) {
      seen.push(pulls[0]!.layers[0]!.bytesReceived);
      if (seen.length === 3) stream.cancel();
    }
  }, { code: status.CANCELLED });

  assert.deepEqual(seen, [0n, 1n, 2n]);
  while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(lines, ['debug WatchPulls web:1 CANCELLED']);
});

test('a watch does not keep the daemon from stopping', async (t) => {
  const { watch, server } = await served(t, { pulls: async () => [] });
  const stream = watch({ intervalMs: 100 });
  const ended = assert.rejects(stream.toArray(), { code: status.UNAVAILABLE, details: 'answer: gantry is stopping; ask again when it is back' });
  while (server.inFlight === 0) await new Promise((resolve) => setTimeout(resolve, 10));

  const began = performance.now();
  await server.close(30_000);

  assert.ok(performance.now() - began < 10_000);
  await ended;
});

test('an interval that is too short or too long is refused', async (t) => {
  const { watch } = await served(t, { pulls: async () => [] });

  for (const intervalMs of [1, 99, 60_001]) {
    const details = `watch pulls interval_ms: ${intervalMs} is neither 0 nor 100 to 60000`;
    await assert.rejects(watch({ intervalMs }).toArray(), { code: status.INVALID_ARGUMENT, details });
  }
});

test('images are adopted from where the runtimes usually keep them, or from where the caller says', async (t) => {
  const asked: ImageSource[] = [];
  const { adopt, lines } = await served(t, { async *adopt(source) { asked.push(source); } });

  for (const request of [{}, { from: 'containerd' }, { from: 'containerd', root: '/mnt/c', namespace: 'moby', dryRun: true }]) await adopt(request).toArray();

  assert.deepEqual(asked, [
    { from: 'docker', root: '/var/lib/docker', namespace: 'k8s.io', dryRun: false },
    { from: 'containerd', root: '/var/lib/containerd', namespace: 'k8s.io', dryRun: false },
    { from: 'containerd', root: '/mnt/c', namespace: 'moby', dryRun: true },
  ]);
  assert.match(lines[0]!, /^info AdoptImages/);
  await assert.rejects(adopt({ from: 'podman' }).toArray(), { code: status.INVALID_ARGUMENT, details: 'adopt images from: "podman" is none of docker, containerd' });
  await assert.rejects(adopt({ root: 'data' }).toArray(), { code: status.INVALID_ARGUMENT, details: 'adopt images root: "data" is not an absolute path' });
});

test('disk usage is what the engine says', async (t) => {
  const usage: DiskUsageResponse = {
    images: [{ id: 'sha256:i', repoTags: ['web:1'], repoDigests: [], totalBytes: 3n, exclusiveBytes: 1n, sharedBytes: 2n, layers: 2, containers: 1 }],
    layers: [{ diffId: 'sha256:l', bytes: 2n, inodes: 1n, imageIds: ['sha256:i'] }],
    partialDownloads: [{ digest: 'sha256:p', bytes: 9n }],
    containers: [{ id: 'c', name: 'main', pod: 'default/web', bytes: 4n, inodes: 2n, measuredAt: 8n, measuredBy: MeasuredBy.MEASURED_BY_FILESYSTEM }],
    filesystems: [{ mountpoint: '/', imageBytes: 3n, containerBytes: 4n, partialBytes: 9n, sizeBytes: 100n, availableBytes: 50n }],
  };
  const { diskUsage } = await served(t, { diskUsage: async () => usage });

  assert.deepEqual(await diskUsage(), usage);
});

test('leaks are what the engine says, and those that are to be cleared reach it', async (t) => {
  const leak: Leak = { kind: 'mount', name: '/m', owner: 'a', since: 5n, bytes: 7n };
  const leaks: ListLeaksResponse = { leaks: [leak], debts: [{ owner: 'b', what: 'network', waitsFor: 'a plugin', since: 1n, tries: 2, nextTry: 3n }], unseen: ['firewall: no'] };
  const { listLeaks, clearLeaks, lines } = await served(t, {}, { leaks: async () => leaks, clearLeaks: async (asked) => asked.map((one) => ({ leak: one, error: 'busy' })) });

  assert.deepEqual(await listLeaks(), leaks);
  assert.deepEqual(await clearLeaks([leak]), { cleared: [{ leak, error: 'busy' }] });
  assert.match(lines.find((line) => line.includes('ClearLeaks'))!, /^info ClearLeaks/);
});

test('clients of the Docker API are told, or that it is not served', async (t) => {
  const client: DockerClient = { program: '/agent', uid: 5, pod: 'a/b', container: 'c', service: '', userAgent: 'u', lastPid: 9, firstSeen: 1n, lastSeen: 2n, requests: 4n, refused: 1n, endpoints: [{ endpoint: 'GET /info', requests: 4n, refused: 1n }] };
  const [on, off] = await Promise.all([served(t, {}, {}, () => [client]), served(t, {})]);

  assert.deepEqual(await on.listDockerClients(), { served: true, clients: [client] });
  assert.deepEqual(await off.listDockerClients(), { served: false, clients: [] });
});
