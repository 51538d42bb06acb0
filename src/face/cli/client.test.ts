import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { ServerReadableStream, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import { connectCri, type CriClient } from './client.ts';

const asIs = (bytes: Buffer): Buffer => bytes;
const wire = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
const watch = { path: '/gantry.test/Watch', requestStream: false, responseStream: true, ...wire };
const receive = { path: '/gantry.test/Receive', requestStream: true, responseStream: false, ...wire };
const chunk = Buffer.alloc(1 << 16);

interface Rpcs {
  watch(stream: ServerWritableStream<Buffer, Buffer>): void;
  receive(stream: ServerReadableStream<Buffer, Buffer>, respond: sendUnaryData<Buffer>): void;
}

async function connected(t: TestContext, rpcs: Partial<Rpcs>): Promise<{ client: CriClient; interrupt: AbortController }> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'cli-client-'));
  const server = new Server();
  server.addService({ watch, receive }, rpcs as never);
  await new Promise((resolve) => server.bindAsync(`unix:${folder}/s`, ServerCredentials.createInsecure(), resolve));
  const interrupt = new AbortController();
  const client = await connectCri(`${folder}/s`, interrupt.signal);
  t.after(async () => {
    client.close();
    server.forceShutdown();
    await fs.rm(folder, { recursive: true });
  });
  return { client, interrupt };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('who stops reading a stream cancels it', async (t) => {
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const { client } = await connected(t, {
    watch(stream) {
      stream.on('cancelled', () => resolve());
      for (let i = 0; i < 3; i++) stream.write(chunk);
    },
  });

  for await (const message of client.stream(watch, chunk, { act: 'watch' })) {
    assert.equal(message.length, chunk.length);
    break;
  }

  await cancelled;
});

test('a stream ends with the interrupt, and a failure in it is a sentence', async (t) => {
  const { client, interrupt } = await connected(t, {
    watch: (stream) => void (String(stream.request) === 'fail' ? stream.emit('error', { code: status.NOT_FOUND, details: 'no such image' }) : stream.write(chunk)),
  });
  const read = async (what: string): Promise<void> => {
    for await (const _message of client.stream(watch, Buffer.from(what), { act: 'save image', object: 'web:1' })) interrupt.abort();
  };

  await assert.rejects(read('fail'), { kind: 'not-found', message: 'save image web:1: no such image' });
  await assert.rejects(read('wait'), { kind: 'cancelled', message: 'save image web:1: interrupted' });
});

test('a stream that is read slowly is sent slowly', async (t) => {
  let sent = 0;
  const { client } = await connected(t, {
    watch(stream) {
      const more = (): void => void (stream.cancelled || stream.write(chunk, () => { sent++; more(); }));
      more();
    },
  });
  for await (const _message of client.stream(watch, chunk, { act: 'watch' })) {
    await pause(300);
    assert.ok(sent < 200, `${sent} messages of 64 KiB came for one that was read`);
    return;
  }
});

/** Counts the bytes that arrive once `go` resolves. */
const counting = (go: Promise<void>): Rpcs['receive'] => async (stream, respond) => {
  await go;
  let bytes = 0;
  for await (const message of stream as AsyncIterable<Buffer>) bytes += message.length;
  respond(null, Buffer.from(String(bytes)));
};

test('an upload makes no more than is taken, and arrives whole', async (t) => {
  const { promise: go, resolve: release } = Promise.withResolvers<void>();
  const { client } = await connected(t, { receive: counting(go) });
  let made = 0;
  const source = async function* (): AsyncGenerator<Buffer> {
    for (; made < 400; made++) yield chunk;
  };

  const answer = client.upload(receive, source(), { act: 'load image' });
  await pause(300);
  assert.ok(made < 200, `${made} messages of 64 KiB were made for nobody`);
  release();

  assert.equal(String(await answer), String(400 << 16));
});

test('a source that fails cancels its upload and is heard', async (t) => {
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { client } = await connected(t, { receive: (stream) => void stream.on('cancelled', () => resolve()).on('data', () => begin()) });
  const source = async function* (): AsyncGenerator<Buffer> {
    yield chunk;
    await begun;
    throw new Error('the disk broke');
  };

  await assert.rejects(client.upload(receive, source(), { act: 'load image' }), { message: 'the disk broke' });
  await cancelled;
});

test('an upload that is refused midway stops, with the reason', async (t) => {
  const { client } = await connected(t, { receive: (_stream, respond) => respond({ code: status.FAILED_PRECONDITION, details: 'it is no archive' }) });
  let made = 0;
  const source = async function* (): AsyncGenerator<Buffer> {
    for (; ; made++) yield chunk;
  };

  await assert.rejects(client.upload(receive, source(), { act: 'load image' }), { kind: 'failed-precondition', message: 'load image: it is no archive' });
  assert.ok(made < 10_000);
});
