/**
 * The clients of one container's own streams (CRI Attach), behind a single connection to its conmon.
 *
 * One connection, kept until the container ends, for conmon 2.1.6 (Debian 12) can die of connections that close while it writes to
 * them, and the container's log and exit code with it. conmon itself waits for whoever does not read. So this side always reads, and a client that
 * is slow holds up the container, its log and the other clients for a second at most: whoever leaves more than 1 MiB untaken has to
 * take half of it in that time, or is dropped (resource-exhausted). Up to that, back-pressure works as in a terminal.
 */
import type { Readable } from 'node:stream';
import { failure, hasCode } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';
import { PacketSocket } from '../../host/packet-socket.ts';
import { clampSize } from '../../host/terminal.ts';
import { AttachedClient, clientBufferBytes } from './attached-client.ts';
import { bundleFiles } from './bundle.ts';
import type { SessionEnds } from './exec-session.ts';
import { sendToConmon } from './send-to-conmon.ts';
import { TerminalSizes } from './terminal-sizes.ts';

/** conmon reads no more than this of one packet at a time. */
const packetBytes = 8192;

const stdoutPacket = 2;
const stderrPacket = 3;

/** ^D, what a terminal takes for the end of input. */
const endOfInput = Buffer.from([0x04]);

const act = 'attach to container';

export interface AttachmentDeps {
  readonly id: string;
  readonly bundle: string;
  readonly terminal: boolean;
  /** The container has a stdin. */
  readonly stdin: boolean;
  /** The end of the first input is the container's. */
  readonly stdinOnce: boolean;
  /** Told once the connection is over: a new attachment is needed from then on. */
  readonly onEnd: () => void;
}

interface Joined {
  readonly client: AttachedClient;
  readonly finish: (why?: GantryError) => void;
}

export class Attachment {
  readonly #deps: AttachmentDeps;
  readonly #joined = new Set<Joined>();
  #connecting: Promise<PacketSocket> | undefined;
  #socket: PacketSocket | undefined;
  #over = false;
  /** With `stdinOnce`: the first input has ended. */
  #inputEnded = false;

  constructor(deps: AttachmentDeps) {
    this.#deps = deps;
  }

  /**
   * Joins a client until the container's streams end (resolves, its streams ended after the last byte) or the signal is aborted (cancelled).
   * Too slow: resource-exhausted. No conmon that listens: unavailable.
   */
  async join(streams: SessionEnds, signal: AbortSignal): Promise<void> {
    const socket = await this.#connect();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const client = new AttachedClient(streams, { onRoom: () => this.#goOn(), onTooSlow: () => joined.finish(this.#tooSlow()) });
    const joined: Joined = { client, finish: (why) => (why === undefined ? resolve() : reject(why)) };
    const abort = (): void => joined.finish(failure('cancelled', { act, object: this.#deps.id, why: 'the client went away' }));
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    if (this.#over) resolve();
    this.#joined.add(joined);
    const input = this.#deps.stdin && streams.stdin !== undefined ? this.#feed(streams.stdin, socket) : dropInput(streams.stdin);
    const sizes = this.#deps.terminal ? new TerminalSizes(streams.resizes) : undefined;
    sizes?.tell((size) => this.#resize(size));
    try {
      await promise;
      await Promise.race([client.end(), aborted(signal)]);
    } finally {
      signal.removeEventListener('abort', abort);
      sizes?.silence();
      input.leave();
      this.#joined.delete(joined);
      client.leave();
      this.#goOn();
    }
  }

  /** Ends all clients (unavailable) and the connection. */
  async close(): Promise<void> {
    for (const { finish } of this.#joined) finish(failure('unavailable', { act, object: this.#deps.id, why: 'the daemon is going away' }));
    const socket = this.#socket ?? await this.#connecting?.catch(() => undefined);
    await socket?.close();
  }

  async #connect(): Promise<PacketSocket> {
    this.#connecting ??= PacketSocket.connect(bundleFiles(this.#deps.bundle).attach, {
      onPacket: (packet) => this.#deliver(packet),
      onEnd: () => this.#end(),
    });
    try {
      this.#socket = await this.#connecting;
      return this.#socket;
    } catch (cause) {
      this.#end();
      if (hasCode(cause, 'ECONNREFUSED') || hasCode(cause, 'ENOENT')) throw failure('unavailable', { act, object: this.#deps.id, why: 'its monitor (conmon) is not running', cause });
      throw failure('internal', { act, object: this.#deps.id, cause });
    }
  }

  #deliver(packet: Buffer): boolean {
    const kind = packet[0] === stdoutPacket ? 'stdout' : packet[0] === stderrPacket ? 'stderr' : undefined;
    if (kind === undefined || packet.length === 1 || this.#joined.size === 0) return true;
    const bytes = Buffer.from(packet.subarray(1));
    for (const { client } of this.#joined) client.write(kind, bytes);
    return !this.#held();
  }

  #held(): boolean {
    return [...this.#joined].some(({ client }) => client.full);
  }

  #goOn(): void {
    if (!this.#held()) this.#socket?.resume();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#deps.onEnd();
    for (const { finish } of this.#joined) finish();
  }

  /** Every client's input reaches the container, in pieces as they come. */
  #feed(source: Readable, socket: PacketSocket): { leave: () => void } {
    let sent = Promise.resolve();
    const take = (chunk: Buffer): void => {
      source.pause();
      sent = sendInPieces(socket, chunk).then(() => void source.resume());
    };
    const end = (): void => {
      source.off('data', take).off('end', end).off('close', end);
      void sent.then(() => this.#endInput(socket)); // a paused stream ends all the same
    };
    source.on('error', () => {}); // 'close' follows
    source.on('data', take).once('end', end).once('close', end);
    source.resume();
    return { leave: end };
  }

  async #endInput(socket: PacketSocket): Promise<void> {
    if (!this.#deps.stdinOnce || this.#inputEnded) return;
    this.#inputEnded = true;
    if (this.#deps.terminal) await socket.send(endOfInput);
    await socket.end(); // conmon closes the container's stdin
  }

  #resize({ columns, rows }: { readonly columns: number; readonly rows: number }): void {
    try {
      sendToConmon(this.#deps, { act: 'resize terminal of container', line: `1 ${clampSize(rows)} ${clampSize(columns)}` });
    } catch {
      // conmon is about to end, and with it the session
    }
  }

  #tooSlow(): GantryError {
    return failure('resource-exhausted', { act, object: this.#deps.id, why: `the client left more than ${clientBufferBytes / 1024 / 1024} MiB of output untaken and would have held up the container; read faster, or read its log` });
  }
}

async function sendInPieces(socket: PacketSocket, chunk: Buffer): Promise<void> {
  for (let at = 0; at < chunk.length; at += packetBytes) await socket.send(chunk.subarray(at, at + packetBytes));
}

/** A container without a stdin: what the client sends is for nobody, and must not hold up the client. */
function dropInput(source: Readable | undefined): { leave: () => void } {
  source?.on('error', () => {}).resume();
  return { leave: () => {} };
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}

