/**
 * A file that came from a layer's twin, held against what the tar says of it as that comes by: what somebody has changed in the twin, without its size
 * and time telling so, is not taken for the layer.
 */
import { closeSync, readSync } from 'node:fs';
import { copyContent } from '../../host/copy-content.ts';
import { libc, SEEK_SET } from '../../host/libc.ts';

export class TakenFile {
  readonly #descriptor: number;
  #agreed = 0;

  /** `descriptor` is open for reading, and closed by `close`. */
  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Whether the next bytes of the tar are what the file has there. */
  agrees(bytes: Buffer): boolean {
    const there = Buffer.allocUnsafe(bytes.length);
    let length = 0;
    for (let got = -1; got !== 0 && length < there.length; length += got) got = readSync(this.#descriptor, there, length, there.length - length, this.#agreed + length);
    if (length < bytes.length || !there.equals(bytes)) return false;
    this.#agreed += length;
    return true;
  }

  /** Gives another file, open for writing, the content that the tar has agreed to so far; what is written next goes behind it. */
  copyAgreed(to: number): void {
    copyContent({ from: this.#descriptor, to, size: this.#agreed }, () => {});
    libc.lseek(to, this.#agreed, SEEK_SET);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
