/**
 * Makes the `:authority` of a request header block one that Node's HTTP/2 accepts.
 *
 * Clients of grpc-go before 1.57 (kubelets up to 1.27 or so, the crictl of their days) dial a unix socket with its path as
 * `:authority`: `/run/gantry/gantry.sock`. nghttp2 resets such a stream before any JavaScript runs, and Node has no
 * option against it. So each `/` in the value becomes a `-`, in place: the raw bytes have one byte each, the Huffman
 * codes six bits each, so no length changes and both sides' HPACK tables keep agreeing about sizes and indices.
 */

/** Codes of each length in HPACK's Huffman code (RFC 7541, appendix B). Longer codes are for bytes that no path has. */
const huffmanCodes: ReadonlyMap<number, number> = new Map([
  [5, 10], [6, 26], [7, 32], [8, 6], [10, 5], [11, 3], [12, 2], [13, 6], [14, 2], [15, 3],
]);
const longestCode = 15;
const huffmanSlash = 0b011000;
const huffmanDash = 0b010110;

const authorityIndex = 1; // of the static table
const authorityName = Buffer.from(':authority');
const authorityNameInHuffman = Buffer.from([0xb8, 0x3b, 0x53, 0x39, 0xec, 0x32, 0x7d, 0x7f]);

/** Where the code of each length starts: the code is canonical, so its lengths say everything needed to walk it. */
const firstCode = firstCodes();

function firstCodes(): number[] {
  const first: number[] = [];
  for (let length = 1, code = 0; length <= longestCode; length++) {
    code <<= 1;
    first[length] = code;
    code += huffmanCodes.get(length) ?? 0;
  }
  return first;
}

/**
 * Rewrites the values of `:authority` within a complete header block (RFC 7541, section 6). A malformed block stays as
 * it is from the flaw on: nghttp2 refuses it.
 */
export function acceptPathAsAuthority(block: Uint8Array): void {
  const at = new Cursor(block);
  while (!at.atEnd) {
    const first = block[at.position] as number;
    if ((first & 0x80) !== 0) { // an indexed field: what it refers to went through here when it entered the table
      at.integer(7);
      continue;
    }
    if ((first & 0xe0) === 0x20) { // a change of the table's size
      at.integer(5);
      continue;
    }
    const nameIndex = at.integer((first & 0x40) !== 0 ? 6 : 4);
    const isAuthority = nameIndex === 0 ? isAuthorityName(at.string()) : nameIndex === authorityIndex;
    const value = at.string();
    if (isAuthority && value !== undefined) replaceSlashes(value);
  }
}

interface Literal {
  readonly bytes: Uint8Array;
  readonly huffman: boolean;
}

/** A position in the block that never leaves it: past a malformed length it is at the end. */
class Cursor {
  readonly #block: Uint8Array;
  position = 0;

  constructor(block: Uint8Array) {
    this.#block = block;
  }

  get atEnd(): boolean {
    return this.position >= this.#block.length;
  }

  /** An integer with a prefix of so many bits (RFC 7541, section 5.1); nothing legitimate needs more than four bytes more. */
  integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = (this.#block[this.position++] ?? 0) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      const next = this.#block[this.position++];
      if (next === undefined) break;
      value += (next & 0x7f) << shift;
      if (next < 0x80) return value;
    }
    this.position = this.#block.length;
    return 0;
  }

  /** A string literal (RFC 7541, section 5.2), or undefined when the block ends before it does. */
  string(): Literal | undefined {
    const huffman = ((this.#block[this.position] ?? 0) & 0x80) !== 0;
    const length = this.integer(7);
    const start = this.position;
    this.position = Math.min(start + length, this.#block.length);
    return start + length > this.#block.length ? undefined : { bytes: this.#block.subarray(start, start + length), huffman };
  }
}

function isAuthorityName(name: Literal | undefined): boolean {
  return name !== undefined && (name.huffman ? authorityNameInHuffman : authorityName).equals(name.bytes);
}

function replaceSlashes(value: Literal): void {
  if (value.huffman) replaceHuffmanSlashes(value.bytes);
  else for (let i = 0; i < value.bytes.length; i++) if (value.bytes[i] === 0x2f) value.bytes[i] = 0x2d;
}

function replaceHuffmanSlashes(bytes: Uint8Array): void {
  const bits = bytes.length * 8;
  for (let start = 0; start < bits;) {
    let code = 0;
    let length = 0;
    do {
      if (length === longestCode || start + length === bits) return; // the padding, or a byte that no path has
      code = (code << 1) | bitAt(bytes, start + length++);
    } while (code - (firstCode[length] as number) >= (huffmanCodes.get(length) ?? 0));
    if (length === 6 && code === huffmanSlash) for (let i = 0; i < 6; i++) putBit(bytes, start + i, (huffmanDash >> (5 - i)) & 1);
    start += length;
  }
}

function bitAt(bytes: Uint8Array, bit: number): number {
  return ((bytes[bit >> 3] as number) >> (7 - (bit & 7))) & 1;
}

function putBit(bytes: Uint8Array, bit: number, value: number): void {
  const mask = 0x80 >> (bit & 7);
  const byte = bytes[bit >> 3] as number;
  bytes[bit >> 3] = value === 1 ? byte | mask : byte & ~mask;
}
