/**
 * Answers of the two lists that the kubelet asks for every second, encoded an item at a time. The engine gives the same object for an
 * unchanged pod or container (engine/engine.ts), so its bytes are made once and kept as long as the object is.
 */
import { Container, PodSandbox } from '../../gen/cri.ts';

interface MessageType<T> {
  encode(message: T): { finish(): Uint8Array };
}

/** Field 1 of both answers, length-delimited: `repeated … = 1`. */
const itemTag = 0x0a;

const encodedItems = new WeakMap<object, Uint8Array>();

/** How these answers are encoded, by method; all others go through their generated encoder. */
export const listEncoders: Readonly<Record<string, (answer: never) => Buffer>> = {
  ListContainers: ({ containers }: { containers: readonly Container[] }) => encodeList(containers, Container),
  ListPodSandbox: ({ items }: { items: readonly PodSandbox[] }) => encodeList(items, PodSandbox),
};

/** A message whose field 1 repeats these items (protobuf encoding, "Length-Delimited Records"). */
export function encodeList<T extends object>(items: readonly T[], type: MessageType<T>): Buffer {
  const encoded = items.map((item) => encodeOnce(item, type));
  const list = Buffer.allocUnsafe(encoded.reduce((size, bytes) => size + 1 + varintSize(bytes.length) + bytes.length, 0));
  let at = 0;
  for (const bytes of encoded) {
    list[at++] = itemTag;
    at = writeVarint(list, at, bytes.length);
    list.set(bytes, at);
    at += bytes.length;
  }
  return list;
}

function encodeOnce<T extends object>(item: T, type: MessageType<T>): Uint8Array {
  const known = encodedItems.get(item);
  if (known !== undefined) return known;
  const bytes = type.encode(item).finish();
  encodedItems.set(item, bytes);
  return bytes;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) size += 1;
  return size;
}

function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) target[at++] = (rest & 0x7f) | 0x80;
  target[at++] = rest;
  return at;
}
