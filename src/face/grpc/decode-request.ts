import { randomUUID } from 'node:crypto';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { failure } from '../../base/errors.ts';
import { protoName } from './proto-name.ts';

/** The maps of requests, all of texts by texts; decoded they look like messages. */
const mapFields: ReadonlySet<string> = new Set(['labels', 'annotations', 'sysctls', 'unified', 'labelSelector', 'options']);

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Decodes a request whose every `string` is UTF-8, as proto3 demands; the generated code alone would put U+FFFD in place of what is
 * not, and a name, path or label would arrive as another one than was sent. Costs nothing beside the decoding.
 *
 * Errors: invalid-argument naming the field (`config.labels["app"]`), or whatever the generated code throws for bytes that are no
 * message.
 */
export function decodeRequest<T extends object>(act: string, decode: (bytes: Buffer) => T, bytes: Buffer): T {
  try {
    return readWith(decode, bytes, (text) => utf8.decode(text));
  } catch (error) {
    if (!isNotUtf8(error)) throw error;
    const field = badField(decode, bytes);
    throw failure('invalid-argument', { act, ...(field === undefined ? {} : { object: field }), why: 'the text is not valid UTF-8' });
  }
}

/** The generated code takes a reader as it takes bytes, which its service definitions do not say. */
function readWith<T>(decode: (bytes: Buffer) => T, bytes: Buffer, decodeUtf8: (bytes: Uint8Array) => string): T {
  return decode(new BinaryReader(bytes, decodeUtf8) as unknown as Buffer);
}

function isNotUtf8(error: unknown): boolean {
  return error instanceof TypeError && (error as NodeJS.ErrnoException).code === 'ERR_ENCODING_INVALID_ENCODED_DATA';
}

/** Decodes once more with a mark in place of what is not UTF-8, and looks where the mark is. Undefined where a later field replaced it. */
function badField<T extends object>(decode: (bytes: Buffer) => T, bytes: Buffer): string | undefined {
  const mark = randomUUID();
  const marked = readWith(decode, bytes, (text) => {
    try {
      return utf8.decode(text);
    } catch {
      return mark;
    }
  });
  return pathOf(marked, mark);
}

function pathOf(message: object, mark: string): string | undefined {
  for (const [key, value] of Object.entries(message)) {
    const below = value === mark ? '' : belowField(key, value, mark);
    if (below !== undefined) return `${protoName(key)}${below}`;
  }
  return undefined;
}

function belowField(key: string, value: unknown, mark: string): string | undefined {
  if (Array.isArray(value)) return inList(value, mark);
  if (!isMessage(value)) return undefined;
  return mapFields.has(key) ? inMap(value, mark) : dotted(pathOf(value, mark));
}

function inList(list: readonly unknown[], mark: string): string | undefined {
  for (const [index, item] of list.entries()) {
    const below = item === mark ? '' : isMessage(item) ? dotted(pathOf(item, mark)) : undefined;
    if (below !== undefined) return `[${index}]${below}`;
  }
  return undefined;
}

function inMap(map: object, mark: string): string | undefined {
  if (Object.hasOwn(map, mark)) return ' (a key of it)';
  const entry = Object.entries(map).find(([, value]) => value === mark);
  return entry === undefined ? undefined : `[${JSON.stringify(entry[0])}]`;
}

function dotted(path: string | undefined): string | undefined {
  return path === undefined ? undefined : `.${path}`;
}

function isMessage(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}
