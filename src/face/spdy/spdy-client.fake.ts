/** A SPDY/3.1 client apart from what it tests: compresses as clients do, and takes frames apart by itself. */
import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import * as zlib from 'node:zlib';
import { dictionary } from './dictionary.ts';

export const types = { synStream: 1, synReply: 2, rst: 3, settings: 4, ping: 6, goaway: 7, headers: 8, window: 9 } as const;

export interface Received {
  readonly control: boolean;
  readonly type: number;
  readonly flags: number;
  /** Of a control frame the body; of a data frame the data. */
  readonly body: Buffer;
  readonly stream: number;
}

/** Name-value pairs as SPDY lays them out, not compressed. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const u32 = (n: number) => Buffer.from([n >>> 24, n >>> 16, n >>> 8, n].map((byte) => byte & 0xff));
  const text = (value: string) => [u32(Buffer.byteLength(value)), Buffer.from(value)];
  return Buffer.concat([u32(Object.keys(headers).length), ...Object.entries(headers).flatMap((pair) => pair.flatMap(text))]);
}

/** One zlib stream, flushed after each block, as by Go's compress/zlib. */
export class HeaderCompressor {
  readonly #deflate = zlib.createDeflate({ dictionary, level: 9 });
  #last: Promise<unknown> = Promise.resolve();

  compress(block: Buffer): Promise<Buffer> {
    const next = this.#last.then(() => this.#flushed(block));
    this.#last = next;
    return next;
  }

  async #flushed(block: Buffer): Promise<Buffer> {
    const parts: Buffer[] = [];
    const take = (part: Buffer) => void parts.push(part);
    this.#deflate.on('data', take);
    this.#deflate.write(block);
    await new Promise<void>((resolve) => this.#deflate.flush(zlib.constants.Z_SYNC_FLUSH, resolve));
    await new Promise((resolve) => setImmediate(resolve));
    this.#deflate.off('data', take);
    return Buffer.concat(parts);
  }
}

export function controlFrame(type: number, flags: number, body: Buffer, version = 3): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x8000 | version, 0);
  head.writeUInt16BE(type, 2);
  head.writeUIntBE(body.length, 5, 3);
  head[4] = flags;
  return Buffer.concat([head, body]);
}

export function dataFrame(stream: number, data: Buffer, fin = false): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(stream, 0);
  head.writeUIntBE(data.length, 5, 3);
  head[4] = fin ? 1 : 0;
  return Buffer.concat([head, data]);
}

export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => bytes.writeUInt32BE(value, 4 * i));
  return bytes;
}

export class SpdyClient {
  readonly socket: Duplex;
  readonly protocol: string;
  readonly frames: Received[] = [];
  closed = false;
  readonly #compressor = new HeaderCompressor();
  #held: Buffer = Buffer.alloc(0);
  #next = 1;
  #wake: (() => void)[] = [];

  constructor(socket: Duplex, head: Buffer, protocol = '') {
    this.socket = socket;
    this.protocol = protocol;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => {});
    for (const event of ['end', 'close']) socket.on(event, () => {
      this.closed = true;
      this.#tell();
    });
    if (head.length > 0) this.#take(head);
  }

  async open(headers: Readonly<Record<string, string>>, fin = false): Promise<number> {
    const block = await this.#compressor.compress(headerBlock(headers));
    const stream = this.#next;
    this.#next += 2;
    this.socket.write(controlFrame(types.synStream, fin ? 1 : 0, Buffer.concat([words(stream, 0), Buffer.from([0, 0]), block])));
    return stream;
  }

  send(stream: number, data: string | Buffer, fin = false): boolean {
    return this.socket.write(dataFrame(stream, Buffer.from(data), fin));
  }

  /** All that came on a stream until it was ended. */
  async all(stream: number): Promise<Buffer> {
    const of = () => this.frames.filter((frame) => !frame.control && frame.stream === stream);
    await this.until(() => of().some(({ flags }) => flags === 1) || this.closed);
    return Buffer.concat(of().map(({ body }) => body));
  }

  async text(stream: number): Promise<string> {
    return (await this.all(stream)).toString();
  }

  /** The first frame of a kind, waited for. */
  async control(type: number, stream?: number): Promise<Received> {
    const of = () => this.frames.find((frame) => frame.control && frame.type === type && (stream === undefined || frame.stream === stream));
    await this.until(() => of() !== undefined || this.closed);
    return of() ?? Promise.reject(new Error(`the connection ended without a frame of type ${type}`));
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  async end(): Promise<void> {
    if (this.socket.closed) return;
    this.socket.destroy();
    await once(this.socket, 'close');
  }

  #take(chunk: Buffer): void {
    let rest = Buffer.concat([this.#held, chunk]);
    while (rest.length >= 8 && rest.length >= 8 + rest.readUIntBE(5, 3)) {
      const body = Buffer.from(rest.subarray(8, 8 + rest.readUIntBE(5, 3)));
      const control = (rest[0]! & 0x80) !== 0;
      const stream = control ? (body.length >= 4 ? body.readUInt32BE(0) & 0x7fffffff : 0) : rest.readUInt32BE(0);
      this.frames.push({ control, type: control ? rest.readUInt16BE(2) : -1, flags: rest[4]!, body, stream });
      if (control && rest.readUInt16BE(2) === types.goaway) setImmediate(() => this.socket.end()); // as spdystream does
      rest = rest.subarray(8 + body.length);
    }
    this.#held = rest;
    this.#tell();
  }

  #tell(): void {
    this.#wake.splice(0).forEach((wake) => wake());
  }
}

/** Asks for SPDY at a session's URL; refused, it is the HTTP answer. */
export async function spdyConnect(url: string, protocols: readonly string[], options: https.RequestOptions = {}): Promise<SpdyClient | { status: number; text: string }> {
  const headers = { 'Connection': 'Upgrade', 'Upgrade': 'SPDY/3.1', 'X-Stream-Protocol-Version': [...protocols] };
  const request = (url.startsWith('https') ? https : http).request(url, { method: 'POST', agent: false, ...options, headers: { ...headers, ...options.headers } });
  request.end();
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('upgrade', ({ headers: answered }: IncomingMessage, socket, head) => resolve(new SpdyClient(socket, head, String(answered['x-stream-protocol-version']))));
    request.on('response', (response) => {
      let text = '';
      response.on('data', (part) => text += part).on('end', () => resolve({ status: response.statusCode!, text }));
    });
  });
}

/** As spdyConnect, where it must be let in. */
export async function spdyClient(url: string, ...protocols: readonly string[]): Promise<SpdyClient> {
  const client = await spdyConnect(url, protocols);
  if (client instanceof SpdyClient) return client;
  throw new Error(`refused with ${client.status}: ${client.text}`);
}
