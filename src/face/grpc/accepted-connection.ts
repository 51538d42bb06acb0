import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { HeaderFrames } from './header-frames.ts';

type Done = (error?: Error | null) => void;

/** A client's connection as the HTTP/2 server sees it: what comes in goes through HeaderFrames, what goes out as it is. */
export class AcceptedConnection extends Duplex {
  readonly #socket: Socket;
  readonly #frames = new HeaderFrames();

  constructor(socket: Socket) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  #received(chunk: Buffer): void {
    try {
      const ready = this.#frames.next(chunk);
      if (ready.length > 0 && !this.push(ready)) this.#socket.pause();
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#socket.cork();
    chunks.forEach(({ chunk }, i) => this.#socket.write(chunk, i === chunks.length - 1 ? done : undefined));
    this.#socket.uncork();
  }

  override _final(done: Done): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#socket.destroy();
    done(error);
  }
}
