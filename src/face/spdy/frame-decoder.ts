import { failure } from '../../base/errors.ts';
import { controlType, flagFin, spdyVersion } from './frames.ts';
import { HeaderBlockReader } from './header-block.ts';
import type { SpdyHeaders } from './header-block.ts';

/** What a peer said. The bytes of a data frame come in as many parts as they arrived in, `fin` with the last. */
export type SpdyFrame =
  | { readonly type: 'data'; readonly stream: number; readonly bytes: Buffer; readonly fin: boolean }
  | { readonly type: 'syn-stream' | 'syn-reply' | 'headers'; readonly stream: number; readonly headers: SpdyHeaders; readonly fin: boolean }
  | { readonly type: 'rst-stream'; readonly stream: number; readonly status: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goaway'; readonly lastStream: number }
  | { readonly type: 'window-update'; readonly stream: number; readonly delta: number }
  | { readonly type: 'settings' };

/** Only control frames are held until they are whole, and what Kubernetes clients put into one are a few short headers. */
const longestControlFrame = 16 << 10;
const frameHeaderBytes = 8;
const streamBits = 0x7fffffff;
const nothing = Buffer.alloc(0);

function malformed(why: string) {
  return failure('invalid-argument', { act: 'read SPDY frame', why });
}

interface DataFrame {
  readonly stream: number;
  readonly fin: boolean;
  /** Bytes that have not come yet. */
  left: number;
}

interface Control {
  readonly type: number;
  readonly fin: boolean;
  readonly body: Buffer;
}

/**
 * Bytes of one direction of a SPDY/3.1 connection in, frames out (draft-mbelshe-httpbis-spdy, section 2.2). It holds one control frame
 * at most. Malformed input is invalid-argument, after which the connection is lost: its compression can't be followed any more.
 */
export class SpdyFrameDecoder {
  readonly #headerBlocks = new HeaderBlockReader();
  /** The beginning of a frame header or a control frame. */
  #held: Buffer = nothing;
  /** The data frame whose bytes are coming. */
  #data: DataFrame | undefined;

  *decode(chunk: Buffer): Generator<SpdyFrame> {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = nothing;
    for (;;) {
      if (this.#data !== undefined) {
        const part = this.#dataPart(this.#data, rest);
        if (part === undefined) return;
        yield part;
        rest = rest.subarray(part.bytes.length);
        continue;
      }
      if (rest.length < frameHeaderBytes) break;
      const length = rest.readUIntBE(5, 3);
      if ((rest[0]! & 0x80) === 0) {
        this.#data = { stream: rest.readUInt32BE(0), fin: (rest[4]! & flagFin) !== 0, left: length };
        if (this.#data.stream === 0) throw malformed('data for stream 0, which there never is');
        rest = rest.subarray(frameHeaderBytes);
        continue;
      }
      const control = wholeControlFrame(rest, length);
      if (control === undefined) break;
      rest = rest.subarray(frameHeaderBytes + length);
      yield this.#controlFrame(control);
    }
    this.#held = Buffer.from(rest); // a copy: it may outlive the chunk, which is a slice of something larger
  }

  /** Undefined: nothing has come yet. */
  #dataPart(data: DataFrame, rest: Buffer): (SpdyFrame & { type: 'data' }) | undefined {
    if (data.left > 0 && rest.length === 0) return undefined;
    const bytes = rest.subarray(0, data.left);
    data.left -= bytes.length;
    if (data.left === 0) this.#data = undefined;
    return { type: 'data', stream: data.stream, bytes, fin: data.fin && data.left === 0 };
  }

  #controlFrame({ type, fin, body }: Control): SpdyFrame {
    switch (type) {
      case controlType.synStream:
        return { type: 'syn-stream', stream: streamOf(body, 10), headers: this.#headerBlocks.read(body.subarray(10)), fin };
      case controlType.synReply:
        return { type: 'syn-reply', stream: streamOf(body, 4), headers: this.#headerBlocks.read(body.subarray(4)), fin };
      case controlType.headers:
        return { type: 'headers', stream: streamOf(body, 4), headers: this.#headerBlocks.read(body.subarray(4)), fin };
      case controlType.rstStream:
        return { type: 'rst-stream', stream: streamOf(body, 8), status: body.readUInt32BE(4) };
      case controlType.ping:
        return { type: 'ping', id: wordOf(body, 4) };
      case controlType.goaway:
        return { type: 'goaway', lastStream: wordOf(body, 8) & streamBits };
      case controlType.windowUpdate:
        return { type: 'window-update', stream: wordOf(body, 8) & streamBits, delta: body.readUInt32BE(4) & streamBits };
      case controlType.settings:
        return { type: 'settings' };
      default:
        throw malformed(`there is no control frame of type ${type}`);
    }
  }
}

/** Undefined while it has not come whole; what can't be one is refused by its first bytes. */
function wholeControlFrame(rest: Buffer, length: number): Control | undefined {
  const version = rest.readUInt16BE(0) & 0x7fff;
  if (version !== spdyVersion) throw malformed(`version ${version}, where SPDY/3.1 has ${spdyVersion}`);
  if (length > longestControlFrame) throw malformed(`a control frame of ${length} bytes, more than ${longestControlFrame}`);
  if (rest.length < frameHeaderBytes + length) return undefined;
  const body = rest.subarray(frameHeaderBytes, frameHeaderBytes + length);
  return { type: rest.readUInt16BE(2), fin: (rest[4]! & flagFin) !== 0, body };
}

function streamOf(body: Buffer, least: number): number {
  const stream = wordOf(body, least) & streamBits;
  if (stream === 0) throw malformed('a frame for stream 0, which there never is');
  return stream;
}

/** The first word of a body that has at least so many bytes. */
function wordOf(body: Buffer, least: number): number {
  if (body.length < least) throw malformed(`a control frame with ${body.length} bytes, where it has at least ${least}`);
  return body.readUInt32BE(0);
}
