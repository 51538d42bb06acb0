import type { Readable, Writable } from 'node:stream';

/**
 * Copies what a program writes to who wants it, no faster than that one takes it: meanwhile the program waits. Once the target is gone,
 * or where there is none, the program is read on all the same: it wrote to somebody who does not listen.
 */
export class OutputCopy {
  /** Resolves when the source has ended and all of it was written to the target. */
  readonly ended: Promise<void>;
  readonly #source: Readable;
  #target: Writable | undefined;
  #taken = 0;
  #goal: { readonly bytes: number; readonly reached: () => void } | undefined;

  constructor(source: Readable, target: Writable | undefined) {
    this.#source = source;
    this.ended = new Promise((resolve) => {
      if (source.readableEnded || source.destroyed) resolve();
      source.once('end', resolve);
      source.once('close', resolve);
    });
    if (target !== undefined && !target.destroyed) this.#serve(target);
    source.on('error', () => {}); // 'close' follows
    source.on('data', (chunk: Buffer) => this.#take(chunk));
    source.resume();
  }

  /** Resolves when as many bytes more were copied, or at the source's end. What comes later is left unread. */
  async settle(bytes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#goal = { bytes: this.#taken + bytes, reached: resolve };
    if (bytes > 0) await Promise.race([promise, this.ended]);
    this.#source.pause();
  }

  /** From now on the program writes to nobody. */
  discard(): void {
    this.#target = undefined;
    this.#source.resume();
  }

  #serve(target: Writable): void {
    this.#target = target;
    target.on('error', () => this.discard());
    target.on('close', () => this.discard());
    target.on('drain', () => this.#source.resume());
  }

  #take(chunk: Buffer): void {
    this.#taken += chunk.length;
    if (this.#target?.writable === true && !this.#target.write(chunk)) this.#source.pause();
    if (this.#goal !== undefined && this.#taken >= this.#goal.bytes) this.#goal.reached();
  }
}

/** Ends a client's stream; resolves once it has taken everything, or is gone. */
export async function endOutput(target: Writable | undefined): Promise<void> {
  if (target === undefined || target.destroyed || target.writableFinished) return;
  await new Promise<void>((resolve) => {
    target.once('finish', resolve);
    target.once('close', resolve);
    target.once('error', () => resolve());
    target.end();
  });
}

/** Gives a program what a client sends, and its end; what the program does not take any more is dropped. */
export function feedInput(source: Readable, input: Writable): void {
  const drop = (): void => {
    source.unpipe(input);
    source.resume();
  };
  input.on('error', drop); // a program may close its input unread
  input.once('close', drop);
  source.on('error', () => input.end());
  source.once('close', () => input.end());
  source.pipe(input);
}
