/** In characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** The sizes of a client's terminal, of which only the latest counts. */
export class TerminalSizes {
  #latest: TerminalSize | undefined;
  #listener: ((size: TerminalSize) => void) | undefined;

  constructor(sizes: AsyncIterable<TerminalSize>) {
    this.#follow(sizes).catch(() => {}); // a client that fails has no new size
  }

  get latest(): TerminalSize | undefined {
    return this.#latest;
  }

  /** Tells the latest size, if there is one, and each to come. */
  tell(listener: (size: TerminalSize) => void): void {
    this.#listener = listener;
    if (this.#latest !== undefined) listener(this.#latest);
  }

  /** Tells nothing any more. */
  silence(): void {
    this.#listener = undefined;
  }

  async #follow(sizes: AsyncIterable<TerminalSize>): Promise<void> {
    for await (const size of sizes) {
      this.#latest = size;
      this.#listener?.(size);
    }
  }
}
