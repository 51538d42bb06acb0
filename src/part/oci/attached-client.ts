import type { Writable } from 'node:stream';
import { endOutput } from './output-copy.ts';

/** What a client may leave untaken before it holds up the container's output. */
export const clientBufferBytes = 1024 * 1024;

/** How long it may do that: then half of it has to be taken, or the client is dropped. */
export const clientPatienceMs = 1000;

export interface ClientEvents {
  /** It has room again. */
  readonly onRoom: () => void;
  /** It was too slow. */
  readonly onTooSlow: () => void;
}

/** The output side of one client of an attached container. */
export class AttachedClient {
  readonly #stdout: Writable | undefined;
  readonly #stderr: Writable | undefined;
  readonly #events: ClientEvents;
  #timer: NodeJS.Timeout | undefined;

  constructor(streams: { readonly stdout: Writable | undefined; readonly stderr: Writable | undefined }, events: ClientEvents) {
    this.#stdout = streams.stdout;
    this.#stderr = streams.stderr;
    this.#events = events;
    for (const stream of [streams.stdout, streams.stderr]) {
      stream?.on('error', () => {}); // a client that is gone is noticed by its signal
      stream?.on('drain', () => this.#look());
      stream?.on('close', () => this.#look());
    }
  }

  /** True while it holds up the output of the container. */
  get full(): boolean {
    return this.#timer !== undefined;
  }

  write(kind: 'stdout' | 'stderr', bytes: Buffer): void {
    const stream = kind === 'stdout' ? this.#stdout : this.#stderr;
    if (stream?.writable !== true) return;
    stream.write(bytes);
    if (this.#timer === undefined && this.#untaken() > clientBufferBytes) this.#timer = setTimeout(() => this.#runOut(), clientPatienceMs);
  }

  /** No more output comes: resolves once it has taken all of it, or is gone. */
  async end(): Promise<void> {
    await Promise.all([endOutput(this.#stdout), endOutput(this.#stderr)]);
    this.leave();
  }

  leave(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #untaken(): number {
    return [this.#stdout, this.#stderr].reduce((sum, stream) => sum + (stream === undefined || stream.destroyed ? 0 : stream.writableLength), 0);
  }

  #look(): void {
    if (this.#timer === undefined || this.#untaken() > clientBufferBytes / 2) return;
    this.leave();
    this.#events.onRoom();
  }

  #runOut(): void {
    this.leave();
    if (this.#untaken() > clientBufferBytes / 2) this.#events.onTooSlow();
    else this.#events.onRoom();
  }
}
