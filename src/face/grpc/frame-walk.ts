/** Walks the frames of one direction of an HTTP/2 connection (RFC 9113, section 4.1) as their bytes pass, in whatever pieces; alters and keeps none. */

export interface FrameHead {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly length: number;
}

export interface FrameListener {
  /** The payload, in pieces. */
  payload(frame: FrameHead, bytes: Buffer): void;
  /** The frame is whole. */
  end(frame: FrameHead): void;
}

export const frameType = { data: 0, headers: 1, rstStream: 3 } as const;
export const frameFlag = { endStream: 0x1, padded: 0x8 } as const;
/** What a client sends before its first frame: PRI * HTTP/2.0 … */
export const prefaceBytes = 24;

const headBytes = 9;

export class FrameWalk {
  readonly #listener: FrameListener;
  readonly #head = Buffer.alloc(headBytes);
  #skip: number;
  #headGot = 0;
  #frame: FrameHead | undefined;
  #left = 0;

  /** `skip`: bytes before the first frame. */
  constructor(listener: FrameListener, skip = 0) {
    this.#listener = listener;
    this.#skip = skip;
  }

  next(chunk: Buffer): void {
    let at = Math.min(this.#skip, chunk.length);
    this.#skip -= at;
    while (at < chunk.length) at += this.#frame === undefined ? this.#takeHead(chunk, at) : this.#takePayload(this.#frame, chunk, at);
  }

  #takeHead(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#head, this.#headGot, at, at + headBytes - this.#headGot);
    this.#headGot += taken;
    if (this.#headGot === headBytes) {
      this.#headGot = 0;
      this.#left = this.#head.readUIntBE(0, 3);
      const frame = { type: this.#head.readUInt8(3), flags: this.#head.readUInt8(4), stream: this.#head.readUInt32BE(5) & 0x7fff_ffff, length: this.#left };
      if (this.#left === 0) this.#listener.end(frame);
      else this.#frame = frame;
    }
    return taken;
  }

  #takePayload(frame: FrameHead, chunk: Buffer, at: number): number {
    const taken = Math.min(this.#left, chunk.length - at);
    this.#left -= taken;
    this.#listener.payload(frame, chunk.subarray(at, at + taken));
    if (this.#left === 0) {
      this.#frame = undefined;
      this.#listener.end(frame);
    }
    return taken;
  }
}
