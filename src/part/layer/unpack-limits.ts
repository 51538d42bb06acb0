/** What one layer may cost. An image is untrusted input: a small download must not fill the node's disk. */
import { failure } from '../../base/errors.ts';

export interface UnpackLimits {
  /** Entries of the tar. */
  readonly maxEntries: number;
  /** Bytes after decompression. */
  readonly maxBytes: number;
  /** Bytes after decompression for one downloaded byte; looked at beyond `ratioFreeBytes`, where chance has no say. */
  readonly maxRatio: number;
  readonly ratioFreeBytes: number;
}

/** Far above any layer that people build, far below what harms a node. */
export const defaultUnpackLimits: UnpackLimits = {
  maxEntries: 4_000_000,
  maxBytes: 200 * 2 ** 30,
  maxRatio: 200,
  ratioFreeBytes: 512 * 2 ** 20,
};

export function checkInflation(limits: UnpackLimits, inflated: number, downloaded: number): void {
  if (inflated > limits.maxBytes) throw overLimit(`it unpacks to more than ${limits.maxBytes} bytes`);
  if (inflated > limits.ratioFreeBytes && inflated > downloaded * limits.maxRatio) {
    throw overLimit(`it inflates more than ${limits.maxRatio} times, which looks like a decompression bomb`);
  }
}

/** `bytes` is what the sizes of all files with holes add up to. Holes take no disk here, but whoever reads or copies them carelessly pays for them. */
export function checkHoles(limits: UnpackLimits, bytes: number): void {
  if (bytes > limits.maxBytes) throw overLimit(`its sparse files have more than ${limits.maxBytes} bytes, holes included`);
}

export function checkEntries(limits: UnpackLimits, entries: number): void {
  if (entries > limits.maxEntries) throw overLimit(`it has more than ${limits.maxEntries} entries`);
}

function overLimit(why: string): Error {
  return failure('resource-exhausted', { act: 'unpack layer', why });
}
