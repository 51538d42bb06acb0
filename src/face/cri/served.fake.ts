/** A whole CRI server on a socket of its own, with clients and its log lines, for one test. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import type { TestContext } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import type { LogFields, Logger } from '../../base/log.ts';
import { serveGrpc } from '../grpc/server.ts';
import type { GrpcServer } from '../grpc/server.ts';
import type { Admitted } from '../streaming/tickets.ts';
import type { CriClient } from './cri-client.fake.ts';
import { criClient } from './cri-client.fake.ts';
import { criServices } from './cri-services.ts';
import { fakeEngine } from './engine.fake.ts';
import type { FakeEngine } from './engine.fake.ts';

export interface Served {
  readonly server: GrpcServer;
  readonly socketPath: string;
  readonly lines: LogLine[];
  /** The sessions that URLs were given for. */
  readonly offered: Admitted[];
  client(...options: Parameters<typeof criClient> extends [string, ...infer Rest] ? Rest : never): CriClient;
}

export interface LogLine extends LogFields {
  readonly level: string;
  readonly message: string;
}

function recorder(lines: LogLine[], fields: LogFields = {}): Logger {
  const at = (level: string) => (message: string, more: LogFields = {}) => void lines.push({ level, message, ...fields, ...more });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), with: (more) => recorder(lines, { ...fields, ...more }) };
}

export async function served(t: TestContext, { engine }: Pick<FakeEngine, 'engine'>, maxMessageBytes = 16 << 20): Promise<Served> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'cri-server-'));
  const socketPath = path.join(folder, 'cri.sock');
  const lines: LogLine[] = [];
  const offered: Admitted[] = [];
  const sessions = { offer: async (admitted: Admitted) => `http://streams.test/${admitted.kind}/${offered.push(admitted)}` };
  const services = criServices({ engine, sessions, runtimeVersion: '1.2.3', maxMessageBytes });
  const server = await serveGrpc({ socketPath, services, log: recorder(lines), maxMessageBytes });
  const clients: CriClient[] = [];
  t.after(async () => {
    clients.forEach((client) => client.close());
    await server.close(1000);
    await fs.rm(folder, { recursive: true });
  });
  return {
    server, socketPath, lines, offered,
    client: (...options) => {
      const client = criClient(socketPath, ...options);
      clients.push(client);
      return client;
    },
  };
}

/** Rejects with a status, and returns it. */
export async function refused(answer: Promise<unknown>): Promise<{ code: string; details: string }> {
  const error = await answer.then(() => assert.fail('was answered'), (thrown: ServiceError) => thrown);
  return { code: status[error.code], details: error.details };
}

export async function collected<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

/** An exec that ends only when its signal says so, and remembers why. */
export function untilAborted() {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: reason, resolve: tell } = Promise.withResolvers<string>();
  const fake = fakeEngine({
    containers: {
      execSync: (_id, _command, _timeout, { signal }) => new Promise((_resolve, reject) => {
        begin();
        signal.addEventListener('abort', () => {
          tell(String((signal.reason as Error).message));
          reject(new DOMException('The operation was aborted', 'AbortError'));
        });
      }),
    },
  });
  return { fake, begun, reason };
}

/** Waits for what has no event. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(condition(), 'did not come about within two seconds');
}
