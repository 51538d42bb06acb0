/** A server of sessions for one test, with an engine of local programs. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { WebSocket } from 'ws';
import type { LogFields, Logger } from '../../base/log.ts';
import { localPrograms } from './local-programs.fake.ts';
import type { LocalPrograms } from './local-programs.fake.ts';
import { serveStreams } from './stream-server.ts';
import type { StreamServer, StreamServerOptions } from './stream-server.ts';
import type { AdmittedExec } from './tickets.ts';

export interface Served {
  readonly server: StreamServer;
  readonly engine: LocalPrograms;
  readonly log: { readonly message: string; readonly error?: unknown }[];
  /** The URL of a session of a command, by default with all streams and no terminal. */
  exec(command: readonly string[], other?: Partial<AdmittedExec>): Promise<string>;
}

export async function servedStreams(t: TestContext, options: Partial<StreamServerOptions> = {}): Promise<Served> {
  const engine = localPrograms();
  const log: Served['log'] = [];
  const server = await serveStreams({
    engine, log: recorder(log), address: '127.0.0.1', port: 0, tls: undefined, maxSessions: 100, idleMs: 60_000, creationMs: 5000, ...options,
  });
  t.after(() => server.close(1000));
  const exec: Served['exec'] = (command, other) => server.offer({ kind: 'exec', containerId: 'c', command, stdin: true, stdout: true, stderr: true, tty: false, ...other });
  return { server, engine, log, exec };
}

function recorder(lines: object[], more: LogFields = {}): Logger {
  const add = (message: string, fields: LogFields = {}) => void lines.push({ message, ...more, ...fields });
  return { debug: add, info: add, warn: add, error: add, with: (fields) => recorder(lines, { ...more, ...fields }) };
}

/** A WebSocket client with what it got, by channel; base64 is undone. */
export class WsClient {
  readonly socket: WebSocket;
  readonly messages: Buffer[] = [];
  readonly opened: Promise<void>;
  readonly closed: Promise<number>;
  readonly #base64: boolean;

  constructor(url: string, protocols: string | string[] = []) {
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), protocols);
    this.#base64 = protocols.includes('base64');
    this.opened = new Promise((resolve, reject) => {
      this.socket.on('open', resolve);
      this.socket.on('error', reject);
    });
    this.closed = new Promise((resolve) => this.socket.on('close', (code) => resolve(code)));
    this.socket.on('message', (message: Buffer) => void this.messages.push(message));
  }

  send(channel: number, data: string | Buffer): void {
    const bytes = Buffer.from(data);
    if (this.#base64) this.socket.send(String(channel) + bytes.toString('base64'));
    else this.socket.send(Buffer.concat([Buffer.from([channel]), bytes]));
  }

  /** The whole of a channel so far. */
  of(channel: number): Buffer {
    const ours = this.messages.filter(([first]) => first === (this.#base64 ? 0x30 + channel : channel)).map((message) => message.subarray(1));
    return Buffer.concat(this.#base64 ? ours.map((text) => Buffer.from(text.toString(), 'base64')) : ours);
  }
}

/** Waits for what has no event. */
export async function until(condition: () => boolean, what = 'did not come about within five seconds'): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(condition(), what);
}
