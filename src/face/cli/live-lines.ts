/** Lines at the bottom of a terminal that are drawn again and again. */
import type { Writable } from 'node:stream';
import type { Space } from './pull-lines.ts';

export class LiveLines {
  readonly #out: Writable;
  #drawn = 0;

  constructor(out: Writable) {
    this.#out = out;
  }

  /** What fits now, less the last column and row: a line that fills the width makes some terminals wrap. */
  get space(): Space {
    const { columns = 80, rows = 24 } = this.#out as Writable & { columns?: number; rows?: number };
    return { columns: Math.max(columns - 1, 10), rows: Math.max(rows - 1, 2) };
  }

  /** Puts these lines in the place of those drawn before. */
  draw(lines: readonly string[]): void {
    this.#out.write(`${this.#back()}${lines.map((line) => `\u001b[K${line}\n`).join('')}\u001b[J`);
    this.#drawn = lines.length;
  }

  /** Takes the lines away. */
  clear(): void {
    this.#out.write(`${this.#back()}\u001b[J`);
    this.#drawn = 0;
  }

  #back(): string {
    return this.#drawn === 0 ? '\r' : `\r\u001b[${this.#drawn}A`;
  }
}
