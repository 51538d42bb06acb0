import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Client, credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { silentLogger } from '../../base/log.ts';
import { ExecSyncResponse, RuntimeServiceService } from '../../gen/cri.ts';
import { fakeEngine } from './engine.fake.ts';
import { InFlight } from './in-flight.ts';
import { surfaceOf } from './surface-of.ts';

const asIs = (bytes: Buffer): Buffer => bytes;

/** A server with one streaming RPC, which sends what the generator yields, and one unary. */
async function served(t: TestContext, watch: () => AsyncIterable<Buffer>): Promise<{ client: Client; inFlight: InFlight; socketPath: string }> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'surface-of-'));
  const inFlight = new InFlight(100);
  const definitions = {
    watch: { path: '/runtime.v1.Test/Watch', requestStream: false, responseStream: true, requestDeserialize: asIs, responseSerialize: asIs },
    startContainer: RuntimeServiceService.startContainer,
  };
  const surface = surfaceOf(definitions, {
    watch,
    startContainer: async () => ({}),
  }, 'v1', { engine: fakeEngine().engine, log: silentLogger, inFlight, runtimeVersion: '0', maxMessageBytes: 1 << 20 });
  const server = new Server();
  server.addService(surface.definition, surface.implementation);
  await new Promise((resolve) => server.bindAsync(`unix:${folder}/s`, ServerCredentials.createInsecure(), resolve));
  const client = new Client(`unix:${folder}/s`, credentials.createInsecure());
  t.after(async () => {
    client.close();
    server.forceShutdown();
    await fs.rm(folder, { recursive: true });
  });
  return { client, inFlight, socketPath: `${folder}/s` };
}

/** Endless messages of 64 KiB, counted; `ended` comes when the generator is told to stop. */
function endless() {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const made = { count: 0 };
  async function* watch(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        made.count++;
        yield Buffer.alloc(1 << 16);
      }
    } finally {
      end();
    }
  }
  return { watch, made, ended };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A call whose answer nobody reads until somebody does; grpc-js's own client reads ahead without end. */
function slowReader(t: TestContext, socketPath: string): http2.ClientHttp2Stream {
  const session = http2.connect('http://localhost', { createConnection: () => net.connect(socketPath) });
  session.on('error', () => {}); // the server is closed under it
  t.after(() => session.destroy());
  const request = session.request({ ':method': 'POST', ':path': '/runtime.v1.Test/Watch', 'content-type': 'application/grpc', 'te': 'trailers' });
  request.on('error', () => {});
  request.end(Buffer.alloc(5)); // an empty message
  return request;
}

test('a stream makes no more than its slow reader takes', async (t) => {
  const { watch, made } = endless();
  const { socketPath } = await served(t, watch);

  const reader = slowReader(t, socketPath);
  await pause(200);
  const early = made.count;
  assert.ok(early >= 1 && early < 10, `${early} messages made for a reader that takes none`);

  reader.resume();
  await pause(100);
  assert.ok(made.count > early, 'no more messages made for a reader that takes them');
});

test('a cancelled stream ends its source, also while the reader takes nothing', async (t) => {
  const { watch, ended } = endless();
  const { socketPath, inFlight } = await served(t, watch);
  const reader = slowReader(t, socketPath);
  await pause(100);

  reader.close(http2.constants.NGHTTP2_CANCEL);

  await ended;
  await inFlight.idle();
});

test('a failure in the middle of a stream comes after what was sent', async (t) => {
  const { client } = await served(t, async function* () {
    yield Buffer.from('one');
    throw new Error('the source broke');
  });
  const stream = client.makeServerStreamRequest('/runtime.v1.Test/Watch', asIs, asIs, Buffer.alloc(0));
  const read: string[] = [];

  await assert.rejects(async () => {
    for await (const message of stream) read.push(String(message));
  }, { code: status.INTERNAL, details: 'the source broke' });
  assert.deepEqual(read, ['one']);
});

test('a message of a stream that is too large is refused', async (t) => {
  const { client } = await served(t, async function* () {
    yield Buffer.alloc((1 << 20) + 1);
  });
  const stream = client.makeServerStreamRequest('/runtime.v1.Test/Watch', asIs, asIs, Buffer.alloc(0));

  const details = 'Watch: the answer has 1048577 bytes and a message at most 1048576; ask for less with a filter, or as a stream';
  await assert.rejects(stream.toArray(), { code: status.RESOURCE_EXHAUSTED, details });
});

test('bytes that are no request are an invalid argument', async (t) => {
  const { client } = await served(t, async function* () {});

  const error = await new Promise<ServiceError | null>((resolve) => client.makeUnaryRequest(
    RuntimeServiceService.startContainer.path, asIs, ExecSyncResponse.decode, Buffer.from([0x0a, 0xff, 0xff]), (thrown) => resolve(thrown),
  ));

  assert.deepEqual([error?.code, error?.details], [status.INVALID_ARGUMENT, 'StartContainer: the request is no message of this call']);
});
