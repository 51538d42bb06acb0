/**
 * The Engine sends the outputs of a container without a terminal over one connection, in frames (API reference, "Stream format"): one byte for
 * the stream, three of nothing, four of length, then the bytes.
 */
import { failure } from '../../base/errors.ts';

export interface OutputFrame {
  readonly stream: 'stdout' | 'stderr';
  /** Of one frame's bytes, as they came: a frame may come in several pieces. */
  readonly bytes: Buffer;
  /** Whether the frame ends with them. */
  readonly last: boolean;
}

const headerBytes = 8;

/** Takes the frames apart as bytes come, without waiting for a frame's end. */
export class FrameReader {
  #header = Buffer.alloc(0);
  #left = 0;
  #stream: OutputFrame['stream'] = 'stdout';

  /** The pieces of output in these bytes. Bytes that are no frame: internal. */
  push(chunk: Buffer): OutputFrame[] {
    const pieces: OutputFrame[] = [];
    for (let at = 0; at < chunk.length;) {
      if (this.#left === 0) {
        const wanted = headerBytes - this.#header.length;
        this.#header = Buffer.concat([this.#header, chunk.subarray(at, at + wanted)]);
        at += wanted;
        if (this.#header.length === headerBytes) this.#begin();
        continue;
      }
      const bytes = chunk.subarray(at, at + this.#left);
      this.#left -= bytes.length;
      pieces.push({ stream: this.#stream, bytes, last: this.#left === 0 });
      at += bytes.length;
    }
    return pieces;
  }

  #begin(): void {
    const kind = this.#header[0]!;
    if (kind > 2) throw failure('internal', { act: 'read output of container', why: `the Docker Engine sent a frame of kind ${kind}` });
    this.#stream = kind === 2 ? 'stderr' : 'stdout';
    this.#left = this.#header.readUInt32BE(4);
    this.#header = Buffer.alloc(0);
  }
}
