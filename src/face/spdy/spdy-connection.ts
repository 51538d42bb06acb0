/**
 * Either end of a SPDY/3.1 connection as Kubernetes speaks it (moby/spdystream, behind kubelet and API server), each of its streams a Node
 * Duplex. Only clients open streams: nobody there uses the other way.
 *
 * Flow control. We credit what the readers took, so that a peer that keeps to windows goes on. What it credits us is not kept to:
 * spdystream never sends a window update, and would get 64 KiB and no more. Nor do we as a client. The transport's own back-pressure holds both directions instead:
 * a writer waits for its bytes to leave, and a reader that does not take what came stops the transport, for all streams.
 */
import { Duplex } from 'node:stream';
import { failure } from '../../base/errors.ts';
import { SpdyFrameDecoder } from './frame-decoder.ts';
import type { SpdyFrame } from './frame-decoder.ts';
import { dataHeader, goaway, longestData, ping, resetStatus, rstStream, synReply, synStream, windowUpdate } from './frames.ts';
import { HeaderBlockWriter } from './header-block.ts';
import type { SpdyHeaders } from './header-block.ts';

/** Two for each connection that is forwarded. */
const mostStreams = 2048;
/** Half of the window that every stream and connection begins with: credit is given before a peer runs dry, and not for every frame. */
const creditStep = 32 << 10;
/** How long a client that was told of the end has to close the connection; one that is cut off before it read everything loses output. */
const lingerMs = 5000;
const streamBufferBytes = 64 << 10;

export interface SpdyConnectionDeps {
  readonly transport: Duplex;
  /** A stream that the client opened; its headers are the client's words. Without it this is the client's end, and the server opens none. */
  onStream?(stream: SpdyStream): void;
  /** Data came or left. */
  onData?(): void;
}

export class SpdyConnection {
  readonly #transport: Duplex;
  readonly #deps: SpdyConnectionDeps;
  readonly #decoder = new SpdyFrameDecoder();
  readonly #headerBlocks = new HeaderBlockWriter();
  readonly #streams = new Map<number, SpdyStream>();
  /** Those that have enough for now: nothing is read while there are any. */
  readonly #full = new Set<SpdyStream>();
  readonly #closed = Promise.withResolvers<Error | undefined>();
  #lastStream = 0;
  #credit = 0;
  #pings: number;
  /** Opened by this end, and not answered yet. */
  readonly #asked = new Map<number, PromiseWithResolvers<SpdyStream>>();
  #over = false;
  #finishing = false;

  constructor(deps: SpdyConnectionDeps) {
    this.#deps = deps;
    this.#transport = deps.transport;
    this.#pings = deps.onStream === undefined ? 1 : 0; // a server's are even
    deps.transport.on('data', (chunk: Buffer) => this.#take(chunk));
    deps.transport.on('error', (error) => this.#close(error));
    deps.transport.on('end', () => this.#close());
    deps.transport.on('close', () => this.#close());
  }

  /** Resolves once the connection is gone, with the protocol's or the network's error if there was one. */
  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  /** Asks whether the peer is there: a connection that is not read is only known to be dead when something is written to it. */
  ping(): void {
    this.#pings = (this.#pings + 2) & 0x7fffffff;
    this.#send(ping(this.#pings));
  }

  /**
   * Opens a stream and waits for the server's answer, for spdystream throws away what comes before it has given one. Refused, or the connection
   * gone: unavailable. Only at the client's end.
   */
  async open(headers: SpdyHeaders): Promise<SpdyStream> {
    if (this.#over) throw notOpened(headers, 'the connection is gone');
    const id = this.#lastStream + (this.#lastStream === 0 ? 1 : 2);
    this.#lastStream = id;
    const asked = Promise.withResolvers<SpdyStream>();
    this.#asked.set(id, asked);
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    this.#send(synStream(id, this.#headerBlocks.write(headers)));
    return asked.promise;
  }

  /** Ends all streams, says goodbye and waits for the client to close; one that does not is cut off after 5 s. Repeating it waits for the same end. */
  async finish(): Promise<void> {
    if (!this.#finishing && !this.#over) this.#sayGoodbye();
    await this.closed;
  }

  destroy(): void {
    this.#close();
  }

  /** Of a stream: its next bytes, or none and the end. */
  writeData(stream: number, bytes: Buffer, fin: boolean, done: (error?: Error | null) => void): void {
    if (this.#over) return done(failure('cancelled', { act: 'write to client', why: 'the connection is gone' }));
    this.#deps.onData?.();
    const most = Math.min(bytes.length, longestData);
    this.#transport.cork();
    for (let at = 0; at + most < bytes.length; at += most) {
      this.#transport.write(dataHeader(stream, most, false));
      this.#transport.write(bytes.subarray(at, at + most));
    }
    const last = bytes.subarray(bytes.length === 0 ? 0 : Math.floor((bytes.length - 1) / most) * most);
    if (last.length === 0) {
      this.#transport.write(dataHeader(stream, 0, fin), done);
    } else {
      this.#transport.write(dataHeader(stream, last.length, fin));
      this.#transport.write(last, done);
    }
    this.#transport.uncork();
  }

  /** Of a stream: its reader wants more. */
  goOn(stream: SpdyStream): void {
    if (this.#full.delete(stream) && this.#full.size === 0) this.#transport.resume();
  }

  /** Of a stream: it is over; one whose ends are not both closed is taken back from the client too. */
  forget(stream: SpdyStream, closed: boolean): void {
    this.#streams.delete(stream.id);
    if (!closed) this.#send(rstStream(stream.id, resetStatus.cancel));
    this.goOn(stream);
  }

  /** Of a stream: so many bytes were taken. */
  credit(stream: number, bytes: number): void {
    if (this.#creditsPeer) this.#send(windowUpdate(stream, bytes));
  }

  /** Only clients are credited: their servers keep to no windows, and what reaches one after it closed makes its kernel throw away the output still on its way. */
  get #creditsPeer(): boolean {
    return this.#deps.onStream !== undefined;
  }

  #sayGoodbye(): void {
    this.#finishing = true;
    for (const stream of this.#streams.values()) stream.end();
    this.#send(goaway(this.#lastStream, true));
    this.#full.clear();
    this.#transport.resume();
    const timer = setTimeout(() => this.destroy(), lingerMs);
    void this.closed.then(() => clearTimeout(timer));
  }

  #take(chunk: Buffer): void {
    if (this.#over) return;
    try {
      for (const frame of this.#decoder.decode(chunk)) {
        this.#handle(frame);
        if (this.#over) return;
      }
    } catch (error) {
      this.#send(goaway(this.#lastStream, false));
      this.#close(error as Error);
    }
  }

  #handle(frame: SpdyFrame): void {
    switch (frame.type) {
      case 'data':
        this.#takeData(frame);
        return;
      case 'syn-stream':
        this.#openedByPeer(frame);
        return;
      case 'syn-reply':
        this.#answered(frame.stream);
        return;
      case 'headers':
        if (frame.fin) this.#streams.get(frame.stream)?.push(null);
        return;
      case 'rst-stream':
        this.#refused(frame.stream, 'the server refused it');
        this.#taken(frame.stream);
        return;
      case 'ping':
        if (frame.id % 2 !== this.#pings % 2) this.#send(ping(frame.id)); // the others answer ours
        return;
      default: // a goodbye is followed by the end; windows and settings bind nobody here
    }
  }

  /** Kubernetes' servers reset all streams once they have said everything: at the client's end what came before that counts. */
  #taken(id: number): void {
    const stream = this.#streams.get(id);
    if (this.#deps.onStream === undefined) stream?.finishReset();
    else stream?.reset();
  }

  #answered(id: number): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#asked.get(id)?.resolve(stream);
    this.#asked.delete(id);
  }

  #refused(id: number, why: string): void {
    this.#asked.get(id)?.reject(notOpened(this.#streams.get(id)?.headers, why));
    this.#asked.delete(id);
  }

  #openedByPeer({ stream: id, headers, fin }: { stream: number; headers: SpdyHeaders; fin: boolean }): void {
    if (this.#deps.onStream === undefined) return this.#send(rstStream(id, resetStatus.refusedStream));
    if (id % 2 === 0 || id <= this.#lastStream) {
      throw failure('invalid-argument', { act: 'open SPDY stream', object: String(id), why: `a client's are odd, and each above the one before it (${this.#lastStream})` });
    }
    this.#lastStream = id;
    if (this.#finishing || this.#streams.size >= mostStreams) {
      this.#send(rstStream(id, resetStatus.refusedStream));
      return;
    }
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    this.#send(synReply(id, this.#headerBlocks.write(new Map()))); // before all data: the client throws away what comes before the answer
    this.#deps.onStream(stream);
    if (fin) stream.push(null);
  }

  #takeData({ stream: id, bytes, fin }: { stream: number; bytes: Buffer; fin: boolean }): void {
    const stream = this.#streams.get(id);
    this.#deps.onData?.();
    this.#creditConnection(bytes.length);
    if (stream === undefined || this.#finishing) {
      if (id > this.#lastStream) this.#send(rstStream(id, resetStatus.invalidStream)); // else what was under way when it ended
      return;
    }
    if (!stream.receive(bytes, fin)) {
      this.#full.add(stream);
      this.#transport.pause();
    }
  }

  /** At once, for the connection's window would make one reader that waits stop the others, as the transport does anyway. */
  #creditConnection(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit < creditStep) return;
    this.credit(0, this.#credit);
    this.#credit = 0;
  }

  #send(frame: Buffer): void {
    if (!this.#over && this.#transport.writable) this.#transport.write(frame);
  }

  #close(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    for (const id of this.#asked.keys()) this.#refused(id, 'the connection is gone');
    for (const stream of this.#streams.values()) {
      // What a server sent before it closed is still to be read; of a client that is gone nothing is wanted.
      if (this.#deps.onStream === undefined) stream.peerLeft();
      else stream.destroy();
    }
    this.#transport.destroy();
    this.#closed.resolve(this.#finishing ? undefined : error); // of an end that was agreed on no fault is news
  }
}

function notOpened(headers: SpdyHeaders | undefined, why: string) {
  return failure('unavailable', { act: 'open stream', object: headers?.get('streamtype') ?? '', why });
}

/** One stream. Its writer's callback comes when the bytes have left; destroying it resets it. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #connection: SpdyConnection;
  #uncredited = 0;
  /** The peer sends no more. */
  #ended = false;
  #reset = false;

  constructor(connection: SpdyConnection, id: number, headers: SpdyHeaders) {
    super({ readableHighWaterMark: streamBufferBytes, writableHighWaterMark: streamBufferBytes });
    this.#connection = connection;
    this.id = id;
    this.headers = headers;
    this.on('error', () => {}); // each user hears of it by his own pipe or promise
  }

  /** What came for it; false when that is enough for now. */
  receive(bytes: Buffer, fin: boolean): boolean {
    if (this.#ended || this.destroyed) return true;
    this.#uncredited += bytes.length;
    const more = bytes.length === 0 || this.push(bytes);
    if (fin) this.push(null);
    if (more) this.#giveCredit();
    return more || fin;
  }

  /** The connection is gone: what came can still be read, then comes the end. */
  peerLeft(): void {
    this.push(null);
  }

  /** The peer took it back. */
  reset(): void {
    this.#ended = this.#reset = true;
    this.destroy(failure('cancelled', { act: 'stream', why: 'the other side reset it' }));
  }

  /** The same, but what came before can still be read, then come its end and 'close'. What is written from now on goes nowhere. */
  finishReset(): void {
    this.#reset = true;
    this.push(null);
    if (this.readableEnded) this.destroy();
    else this.once('end', () => this.destroy());
  }

  override push(chunk: Buffer | null): boolean {
    if (this.#ended) return true;
    if (chunk === null) this.#ended = true;
    return super.push(chunk);
  }

  override _read(): void {
    this.#giveCredit();
    this.#connection.goOn(this);
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#reset) done();
    else this.#connection.writeData(this.id, bytes, false, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#reset) done();
    else this.#connection.writeData(this.id, Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#connection.forget(this, this.#reset || (this.#ended && this.writableFinished));
    done(error);
  }

  #giveCredit(): void {
    if (this.#uncredited < creditStep || this.#ended) return;
    this.#connection.credit(this.id, this.#uncredited);
    this.#uncredited = 0;
  }
}
