/**
 * What clients have begun to send and not ended: grpc-js hands a request on when it is whole, and holds what there is of it until then,
 * for any number of calls and as long as the client likes. Only on the wire can it be seen how much that is.
 */
import { failure } from '../../base/errors.ts';
import { frameFlag, frameType, FrameWalk, prefaceBytes } from './frame-walk.ts';
import type { FrameHead } from './frame-walk.ts';

/** How much of unfinished requests is held at a time, of all connections together. */
export interface UnfinishedLimits {
  readonly requests: number;
  readonly bytes: number;
}

/** Ends a connection for this reason. */
export type Cut = (reason: Error) => void;

/** The unfinished requests of all connections. Over a limit the connection that has most of them is cut off: whoever sends whole requests is never that one. */
export class UnfinishedRequests {
  readonly #limits: UnfinishedLimits;
  readonly #connections = new Map<ConnectionRequests, Cut>();

  constructor(limits: UnfinishedLimits) {
    this.#limits = limits;
  }

  /** Watches another connection, until its `over` is called. */
  watch(cut: Cut): ConnectionRequests {
    const connection = new ConnectionRequests({ grown: () => this.#check(), over: () => this.#connections.delete(connection) });
    this.#connections.set(connection, cut);
    return connection;
  }

  get bytes(): number {
    return this.#sum('bytes');
  }

  #sum(what: keyof UnfinishedLimits): number {
    let sum = 0;
    for (const connection of this.#connections.keys()) sum += connection[what];
    return sum;
  }

  #check(): void {
    for (const what of ['requests', 'bytes'] as const) {
      const all = this.#sum(what);
      if (all > this.#limits[what]) this.#cutLargest(what, all);
    }
  }

  #cutLargest(what: keyof UnfinishedLimits, all: number): void {
    const [largest] = [...this.#connections.keys()].sort((a, b) => b[what] - a[what]);
    if (largest === undefined) return;
    const held = what === 'bytes' ? { all: `${all} bytes`, own: `${largest.bytes}` } : { all: `${all}`, own: `${largest.requests}` };
    const why = `requests that clients have begun and not ended: ${held.all} where ${this.#limits[what]} may be, ${held.own} of this connection's, the most of all`;
    const cut = this.#connections.get(largest);
    largest.over();
    cut?.(failure('resource-exhausted', { act: 'keep connection', why }));
  }
}

/** A request whose end has not come. Of its messages the last whole one and the one under way may be in memory. */
class Unfinished {
  #prefixGot = 0;
  #size = 0;
  #got = 0;
  #last = 0;

  get bytes(): number {
    return this.#last + this.#got;
  }

  /** Data of the stream: messages, each behind five bytes, of which four are its size (gRPC over HTTP/2, "Length-Prefixed-Message"). */
  take(data: Buffer): void {
    for (let at = 0; at < data.length;) {
      if (this.#prefixGot < 5) {
        const byte = data[at++]!;
        if (this.#prefixGot++ > 0) this.#size = this.#size * 256 + byte;
      } else {
        const taken = Math.min(this.#size - this.#got, data.length - at);
        this.#got += taken;
        at += taken;
      }
      if (this.#prefixGot === 5 && this.#got === this.#size) {
        this.#last = this.#size;
        this.#prefixGot = this.#size = this.#got = 0;
      }
    }
  }
}

/** The unfinished requests of one connection. */
export class ConnectionRequests {
  readonly #open = new Map<number, Unfinished>();
  /** Those of which the server has said its last word. */
  readonly #answered = new Set<number>();
  readonly #events: { readonly grown: () => void; readonly over: () => void };
  readonly #incoming: FrameWalk;
  readonly #outgoing: FrameWalk;
  /** Of the data frame that is arriving: whether its first byte, the length of its padding, is still to come, and how much of its data is. */
  #padding = { toCome: false, left: 0 };
  #arriving = false;
  #newest = 0;
  #bytes = 0;

  constructor(events: { readonly grown: () => void; readonly over: () => void }) {
    this.#events = events;
    this.#incoming = new FrameWalk({ payload: (frame, bytes) => this.#data(frame, bytes), end: (frame) => this.#received(frame) }, prefaceBytes);
    this.#outgoing = new FrameWalk({ payload: () => {}, end: (frame) => this.#sent(frame) });
  }

  get requests(): number {
    return this.#open.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of the client. */
  receive(chunk: Buffer): void {
    const before = this.#bytes + this.#open.size;
    this.#incoming.next(chunk);
    if (this.#bytes + this.#open.size > before) this.#events.grown();
  }

  /** Bytes for the client. */
  send(chunk: Buffer): void {
    this.#outgoing.next(chunk);
  }

  get someAnswered(): boolean {
    return this.#answered.size > 0;
  }

  /** The streams that are answered and that the client has not ended: they are over, whatever it still sends. Each is told once. */
  takeAnswered(): number[] {
    const streams = [...this.#answered];
    streams.forEach((stream) => this.#close(stream));
    return streams;
  }

  /** The connection is closed. */
  over(): void {
    this.#open.clear();
    this.#answered.clear();
    this.#bytes = 0;
    this.#events.over();
  }

  #data(frame: FrameHead, bytes: Buffer): void {
    const request = this.#open.get(frame.stream);
    if (frame.type !== frameType.data) return;
    const data = this.#withoutPadding(frame, bytes);
    if (request === undefined) return;
    const before = request.bytes;
    request.take(data);
    this.#bytes += request.bytes - before;
  }

  /** RFC 9113, section 6.1. */
  #withoutPadding(frame: FrameHead, bytes: Buffer): Buffer {
    let data = bytes;
    if (!this.#arriving) {
      this.#arriving = true;
      this.#padding = { toCome: (frame.flags & frameFlag.padded) !== 0, left: frame.length };
    }
    if (this.#padding.toCome) {
      this.#padding = { toCome: false, left: frame.length - 1 - bytes[0]! };
      data = bytes.subarray(1);
    }
    data = data.subarray(0, Math.max(0, this.#padding.left));
    this.#padding.left -= data.length;
    return data;
  }

  #received({ type, flags, stream }: FrameHead): void {
    this.#arriving = false;
    if (type === frameType.headers && stream > this.#newest) {
      this.#newest = stream;
      this.#open.set(stream, new Unfinished());
    }
    if (type === frameType.rstStream || endsStream(type, flags)) this.#close(stream);
  }

  #sent({ type, flags, stream }: FrameHead): void {
    if (type === frameType.rstStream) this.#close(stream);
    else if (endsStream(type, flags) && this.#open.has(stream)) this.#answered.add(stream);
  }

  #close(stream: number): void {
    this.#bytes -= this.#open.get(stream)?.bytes ?? 0;
    this.#open.delete(stream);
    this.#answered.delete(stream);
  }
}

function endsStream(type: number, flags: number): boolean {
  return (type === frameType.headers || type === frameType.data) && (flags & frameFlag.endStream) !== 0;
}
