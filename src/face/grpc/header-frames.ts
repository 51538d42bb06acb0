import { failure } from '../../base/errors.ts';
import { acceptPathAsAuthority } from './accept-path-as-authority.ts';
import { prefaceBytes } from './frame-walk.ts';

const frameHeaderBytes = 9;
const headersType = 1;
const continuationType = 9;
const endHeaders = 0x4;
const padded = 0x8;
const hasPriority = 0x20;

/** More than nghttp2 itself takes (64 KiB): who sends more is cut off here instead of held in memory. */
export const maxHeaderBlockBytes = 96 * 1024;

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: number;
  readonly end: number;
}

/**
 * Walks what a client sends over one HTTP/2 connection (RFC 9113, section 4.1) and rewrites its header blocks; every other
 * byte passes at once and untouched. Only a block (HEADERS and the CONTINUATIONs behind it) is held until it is whole.
 */
export class HeaderFrames {
  #passing = prefaceBytes;
  #held: Buffer = Buffer.alloc(0);

  /** Whether what went on so far ends with a whole frame. */
  get betweenFrames(): boolean {
    return this.#passing === 0;
  }

  /** Takes the next bytes, which it may alter in place, and returns what may go on; a block over the limit throws resource-exhausted. */
  next(chunk: Buffer): Buffer {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let at = 0;
    while (at < bytes.length) {
      const passed = Math.min(this.#passing, bytes.length - at);
      this.#passing -= passed;
      at += passed;
      if (at === bytes.length) break;
      const frame = frameAt(bytes, at);
      if (frame?.type === headersType) {
        const end = takeHeaderBlock(bytes, frame, at);
        if (end === undefined) break;
        at = end;
      } else if (frame === undefined) break;
      else this.#passing = frame.end - at;
    }
    this.#held = bytes.subarray(at);
    return bytes.subarray(0, at);
  }
}

function frameAt(bytes: Buffer, at: number): Frame | undefined {
  if (bytes.length - at < frameHeaderBytes) return undefined;
  const payload = at + frameHeaderBytes;
  return {
    type: bytes.readUInt8(at + 3), flags: bytes.readUInt8(at + 4), stream: bytes.readUInt32BE(at + 5) & 0x7fff_ffff,
    payload, end: payload + bytes.readUIntBE(at, 3),
  };
}

/** Rewrites the block that begins with this frame; returns where it ends, or undefined when it is not all here yet. */
function takeHeaderBlock(bytes: Buffer, first: Frame, at: number): number | undefined {
  const fragments: Buffer[] = [];
  for (let frame = first; ;) {
    if (frame.end - at > maxHeaderBlockBytes) {
      throw failure('resource-exhausted', { act: 'read request headers', why: `a header block of more than ${maxHeaderBlockBytes} bytes` });
    }
    if (frame.end > bytes.length) return undefined;
    fragments.push(fragmentOf(bytes, frame));
    if ((frame.flags & endHeaders) !== 0) {
      rewrite(fragments);
      return frame.end;
    }
    const next = frameAt(bytes, frame.end);
    if (next === undefined) return undefined;
    // Anything else between is a protocol error, which is nghttp2's to answer.
    if (next.type !== continuationType || next.stream !== first.stream) return frame.end;
    frame = next;
  }
}

/** The part of a frame that belongs to the header block: without padding and priority (RFC 9113, section 6.2). */
function fragmentOf(bytes: Buffer, frame: Frame): Buffer {
  if (frame.type === continuationType) return bytes.subarray(frame.payload, frame.end);
  let start = frame.payload;
  let end = frame.end;
  if ((frame.flags & padded) !== 0) end -= bytes[start++] ?? 0;
  if ((frame.flags & hasPriority) !== 0) start += 5;
  return bytes.subarray(start, Math.max(start, end));
}

function rewrite(fragments: readonly Buffer[]): void {
  const [only] = fragments;
  if (fragments.length === 1 && only !== undefined) {
    acceptPathAsAuthority(only);
    return;
  }
  const block = Buffer.concat(fragments);
  acceptPathAsAuthority(block);
  let at = 0;
  for (const fragment of fragments) at += block.copy(fragment, 0, at, at + fragment.length);
}
