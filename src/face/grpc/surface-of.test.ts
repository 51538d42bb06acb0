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
import { failure } from '../../base/errors.ts';
import { silentLogger } from '../../base/log.ts';
import { ExecSyncResponse, KeyValue, RuntimeServiceService } from '../../gen/cri.ts';
import { InFlight } from './in-flight.ts';
import { surfaceOf } from './surface-of.ts';

const asIs = (bytes: Buffer): Buffer => bytes;

/** A message of a streamed request: of the CRI's messages one with a field of bytes. */
type Chunk = KeyValue;
type Receive = (chunks: AsyncIterable<Chunk>) => Promise<Buffer>;

const chunkOf = (size: number): Buffer => Buffer.from(KeyValue.encode({ key: '', value: Buffer.alloc(size) }).finish());

async function received(chunks: AsyncIterable<Chunk>): Promise<Buffer> {
  let bytes = 0;
  for await (const { value } of chunks) bytes += value.length;
  return Buffer.from(String(bytes));
}

async function* echoed(chunks: AsyncIterable<Chunk>): AsyncGenerator<Buffer> {
  for await (const { value } of chunks) yield value;
}

/** A server with an RPC that sends what the generator yields, one that receives a stream, one with streams both ways, and one unary. */
async function served(t: TestContext, watch: () => AsyncIterable<Buffer>, receive: Receive = received): Promise<{ client: Client; inFlight: InFlight; socketPath: string }> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'surface-of-'));
  const inFlight = new InFlight({ callsAMethod: 100, bytes: 1e9 });
  const surface = surfaceOf({
    definition: {
      watch: { path: '/runtime.v1.Test/Watch', requestStream: false, responseStream: true, requestDeserialize: asIs, responseSerialize: asIs },
      receive: { path: '/runtime.v1.Test/Receive', requestStream: true, responseStream: false, requestDeserialize: KeyValue.decode, responseSerialize: asIs },
      echo: { path: '/runtime.v1.Test/Echo', requestStream: true, responseStream: true, requestDeserialize: KeyValue.decode, responseSerialize: asIs },
      startContainer: RuntimeServiceService.startContainer,
    },
    rpcs: { watch, receive, echo: echoed, startContainer: async () => ({}) },
    callWith: (ctx) => ({ ctx }),
    changing: new Set(),
    subjectOf: () => ({}),
  }, { log: silentLogger, inFlight, maxMessageBytes: 1 << 20 });
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
  const request = rawCall(t, socketPath, 'Watch');
  request.end(Buffer.alloc(5)); // an empty message
  return request;
}

function rawCall(t: TestContext, socketPath: string, rpc: string): http2.ClientHttp2Stream {
  const session = http2.connect('http://localhost', { createConnection: () => net.connect(socketPath) });
  session.on('error', () => {}); // the server is closed under it
  t.after(() => session.destroy());
  const request = session.request({ ':method': 'POST', ':path': `/runtime.v1.Test/${rpc}`, 'content-type': 'application/grpc', 'te': 'trailers' });
  request.on('error', () => {});
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

function upload(client: Client) {
  const { promise: answer, resolve, reject } = Promise.withResolvers<string>();
  answer.catch(() => {});
  const stream = client.makeClientStreamRequest('/runtime.v1.Test/Receive', asIs, asIs, (error, bytes) => (error ? reject(error) : resolve(String(bytes))));
  stream.on('error', () => {}); // the answer tells
  return { stream, answer };
}

const nothing = async function* (): AsyncGenerator<Buffer> {};

test('a streamed request arrives whole and is answered once', async (t) => {
  const { client } = await served(t, nothing);
  const { stream, answer } = upload(client);

  for (let i = 0; i < 100; i++) stream.write(chunkOf(1000));
  stream.end();

  assert.equal(await answer, '100000');
});

test('messages go both ways in one call', async (t) => {
  const { client } = await served(t, nothing);
  const stream = client.makeBidiStreamRequest('/runtime.v1.Test/Echo', asIs, asIs);
  stream.write(chunkOf(10));
  stream.end(chunkOf(20));

  assert.deepEqual((await stream.toArray() as Buffer[]).map(({ length }) => length), [10, 20]);
});

test('a client sends no more than the RPC takes', async (t) => {
  const { promise: go, resolve: release } = Promise.withResolvers<void>();
  const { socketPath } = await served(t, nothing, async (chunks) => {
    await go;
    return await received(chunks);
  });
  const request = rawCall(t, socketPath, 'Receive');
  const chunk = chunkOf(1 << 16);
  const message = Buffer.concat([Buffer.alloc(5), chunk]);
  message.writeUInt32BE(chunk.length, 1);
  let sent = 0;
  const send = (left: number): void => void (left === 0 ? request.end() : request.write(message, () => { sent++; send(left - 1); }));

  send(400);
  await pause(200);
  assert.ok(sent < 100, `${sent} messages of 64 KiB went to an RPC that takes none`);
  release();
  const answer = Buffer.concat(await request.toArray());

  assert.equal(String(answer.subarray(5)), String(400 << 16));
});

test('a request that is cancelled in the middle ends the waiting of its RPC', async (t) => {
  const { promise: reason, resolve: tell } = Promise.withResolvers<unknown>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { client, inFlight } = await served(t, nothing, async (chunks) => {
    try {
      for await (const _chunk of chunks) begin();
    } catch (error) {
      tell(error);
      throw error;
    }
    return Buffer.alloc(0);
  });
  const { stream, answer } = upload(client);
  stream.write(chunkOf(10));
  await begun;

  stream.cancel();

  await assert.rejects(answer, { code: status.CANCELLED });
  assert.equal(((await reason) as Error).message, 'Receive: the caller went away');
  await inFlight.idle();
});

test('an RPC that refuses a streamed request midway is heard, and the rest is not read', async (t) => {
  const { client, inFlight } = await served(t, nothing, async (chunks) => {
    for await (const _chunk of chunks) throw failure('failed-precondition', { act: 'load image', why: 'it is no archive' });
    return Buffer.alloc(0);
  });
  const { stream, answer } = upload(client);
  for (let i = 0; i < 100; i++) stream.write(chunkOf(1000));

  await assert.rejects(answer, { code: status.FAILED_PRECONDITION, details: 'load image: it is no archive' });
  await inFlight.idle();
});
