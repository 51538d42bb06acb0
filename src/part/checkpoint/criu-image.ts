/**
 * CRIU's image files (criu.org/Images): two magic numbers, then records, each its length and a protobuf message. Only fields that a restore looks at are known
 * here; their numbers are those of CRIU's `images/*.proto`, where no number is ever used again.
 */
import { badCheckpoint } from './documents.ts';

const commonMagic = 0x54564319;
const headBytes = 8;

/** A message's fields by number, each with all its values: numbers and bytes as they came. */
export type Message = ReadonlyMap<number, readonly (bigint | Buffer)[]>;

/** The records of an image; one that is not of this kind, or damaged, is failed-precondition. */
export function recordsOf(name: string, image: Buffer, magic: number): Message[] {
  if (image.length < headBytes || image.readUInt32LE(0) !== commonMagic || image.readUInt32LE(4) !== magic) throw badCheckpoint(`${name} is no such image of CRIU`);
  const records: Message[] = [];
  for (let at = headBytes; at < image.length;) {
    const end = at + 4 + (at + 4 <= image.length ? image.readUInt32LE(at) : Infinity);
    if (end > image.length) throw damaged(name);
    records.push(messageOf(name, image.subarray(at + 4, end)));
    at = end;
  }
  return records;
}

export function messageOf(name: string, bytes: Buffer): Message {
  const fields = new Map<number, (bigint | Buffer)[]>();
  const reader = new Reader(name, bytes);
  while (reader.left) {
    const key = Number(reader.varint());
    const value = reader.value(key & 7);
    const known = fields.get(key >> 3);
    if (known === undefined) fields.set(key >> 3, [value]);
    else known.push(value);
  }
  return fields;
}

/** An optional number; of several the last counts. */
export function numberIn(message: Message, field: number): number | undefined {
  const value = message.get(field)?.at(-1);
  return typeof value === 'bigint' ? Number(value) : undefined;
}

export function textIn(message: Message, field: number): string | undefined {
  const value = message.get(field)?.at(-1);
  return Buffer.isBuffer(value) ? value.toString() : undefined;
}

/** Repeated numbers, packed or not. */
export function numbersIn(name: string, message: Message, field: number): number[] {
  return (message.get(field) ?? []).flatMap((value) => {
    if (typeof value === 'bigint') return [Number(value)];
    const reader = new Reader(name, value);
    const numbers: number[] = [];
    while (reader.left) numbers.push(Number(reader.varint()));
    return numbers;
  });
}

export function messagesIn(name: string, message: Message, field: number): Message[] {
  return (message.get(field) ?? []).map((value) => {
    if (!Buffer.isBuffer(value)) throw damaged(name);
    return messageOf(name, value);
  });
}

/** An image with one record of texts. */
export function imageOfTexts(magic: number, texts: Readonly<Record<number, string>>): Buffer {
  const fields = Object.entries(texts).map(([field, text]) => {
    const bytes = Buffer.from(text);
    if (bytes.length > 127) throw badCheckpoint(`${JSON.stringify(text)} is longer than a field of CRIU's takes`);
    return Buffer.concat([Buffer.of((Number(field) << 3) | 2, bytes.length), bytes]);
  });
  const record = Buffer.concat(fields);
  const head = Buffer.alloc(headBytes + 4);
  head.writeUInt32LE(commonMagic, 0);
  head.writeUInt32LE(magic, 4);
  head.writeUInt32LE(record.length, headBytes);
  return Buffer.concat([head, record]);
}

class Reader {
  readonly #name: string;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(name: string, bytes: Buffer) {
    this.#name = name;
    this.#bytes = bytes;
  }

  get left(): boolean {
    return this.#at < this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#take(1)[0]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw damaged(this.#name);
  }

  value(wireType: number): bigint | Buffer {
    switch (wireType) {
      case 0: return this.varint();
      case 1: return this.#take(8).readBigUInt64LE();
      case 2: return this.#take(Number(this.varint()));
      case 5: return BigInt(this.#take(4).readUInt32LE());
      default: throw damaged(this.#name);
    }
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw damaged(this.#name);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

function damaged(name: string): Error {
  return badCheckpoint(`${name} is damaged`);
}
