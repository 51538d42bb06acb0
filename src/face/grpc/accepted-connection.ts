import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { HeaderFrames } from './header-frames.ts';
import { resetFrame } from './reset-frame.ts';
import type { ConnectionRequests, UnfinishedRequests } from './unfinished-requests.ts';

type Done = (error?: Error | null) => void;

/**
 * A client's connection as the HTTP/2 server sees it: what comes in goes through HeaderFrames, what goes out as it is. Both are looked at
 * for what the client leaves unfinished. A request that was answered before its end is over: the server hears so, and forgets it.
 */
export class AcceptedConnection extends Duplex {
  readonly #socket: Socket;
  readonly #frames = new HeaderFrames();
  readonly #requests: ConnectionRequests;
  #heard = performance.now();
  #ending = false;

  constructor(socket: Socket, unfinished: UnfinishedRequests) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#requests = unfinished.watch((reason) => this.destroy(reason));
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** When the client last said something, on the clock of `performance`. */
  get lastHeard(): number {
    return this.#heard;
  }

  #received(chunk: Buffer): void {
    this.#heard = performance.now();
    try {
      this.#requests.receive(chunk);
      if (this.destroyed) return;
      this.#pass(this.#frames.next(chunk));
      this.#endAnswered();
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #pass(ready: Buffer): void {
    if (ready.length > 0 && !this.push(ready)) this.#socket.pause();
  }

  /** Not in the middle of a frame, and not while the server writes. */
  #endAnswered(): void {
    if (this.#ending || !this.#requests.someAnswered) return;
    this.#ending = true;
    setImmediate(() => {
      this.#ending = false;
      if (!this.destroyed && !this.readableEnded && this.#frames.betweenFrames) for (const stream of this.#requests.takeAnswered()) this.#pass(resetFrame(stream));
    });
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#sent(chunk);
    this.#socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#socket.cork();
    chunks.forEach(({ chunk }, i) => {
      this.#sent(chunk);
      this.#socket.write(chunk, i === chunks.length - 1 ? done : undefined);
    });
    this.#socket.uncork();
  }

  #sent(chunk: Buffer): void {
    this.#requests.send(chunk);
    this.#endAnswered();
  }

  override _final(done: Done): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#requests.over();
    this.#socket.destroy();
    done(error);
  }
}
