/**
 * The kinds of value a setting can have. A kind reads what a TOML file holds, turns the text of a flag or an
 * environment variable into the same, writes a value back as TOML, and says in words what it accepts.
 */
import { isIP } from 'node:net';
import { isAbsolute, normalize } from 'node:path';

export interface Kind<T> {
  /** One or two words, the placeholder of a flag in help. */
  readonly name: string;
  /** What is accepted, to end the sentence "want …". */
  readonly wanted: string;
  /** The value, or undefined when `raw` is not of this kind. */
  read(raw: unknown): T | undefined;
  /** The text of a flag or an environment variable as TOML would hold it. */
  fromText(text: string): unknown;
  /** The value as TOML. */
  write(value: T): string;
  /** Set where a value may hold secrets: the same with those covered, for logs and statuses. */
  covered?(value: T): T;
  /** The only values there are, for completion. */
  readonly choices?: readonly string[];
  /** Set when a flag may be repeated: its texts add up instead of the last one winning. */
  readonly repeatable?: true;
}

/** What kinds that are one string have in common; JSON's escapes are all TOML's too. */
const plainText = {
  fromText: (text: string): unknown => text,
  write: (value: string): string => JSON.stringify(value),
};

/** One of a few words. */
export function oneOf<const W extends readonly string[]>(words: W): Kind<W[number]> {
  return {
    ...plainText,
    name: 'choice',
    wanted: `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`,
    read: (raw) => words.find((word) => word === raw),
    choices: words,
  };
}

/** A string of a given form, `form` matching the whole of it. */
export function textLike(name: string, wanted: string, form: RegExp): Kind<string> {
  return { ...plainText, name, wanted, read: (raw) => (typeof raw === 'string' && form.test(raw) ? raw : undefined) };
}

function readPath(raw: unknown): string | undefined {
  if (typeof raw !== 'string' || !isAbsolute(raw) || raw.includes('\0')) return undefined;
  const path = normalize(raw);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

export const path: Kind<string> = { ...plainText, name: 'path', wanted: 'an absolute path', read: readPath };

/** A folder that the daemon owns whole: what every program shares (`/`, `/var`, `/tmp`) is refused, as its mode will be narrowed. */
export const ownFolder: Kind<string> = {
  ...plainText,
  name: 'path',
  wanted: 'an absolute path at least two levels deep, of a folder for gantry alone',
  read(raw) {
    const folder = readPath(raw);
    return folder !== undefined && folder.lastIndexOf('/') > 0 ? folder : undefined;
  },
};

/** A path, or the empty text for none. */
export const optionalPath: Kind<string> = { ...plainText, name: 'path', wanted: 'an absolute path, or "" for none', read: (raw) => (raw === '' ? raw : readPath(raw)) };

/** An address of the node in numbers, v4 or v6: names could come to mean others. */
export const ipAddress: Kind<string> = { ...plainText, name: 'address', wanted: 'an IP address such as "127.0.0.1" or "::1"', read: (raw) => (typeof raw === 'string' && isIP(raw) !== 0 ? raw : undefined) };

const longestSocketPath = 107; // sun_path of unix(7), less its final NUL

export const socketPath: Kind<string> = {
  ...plainText,
  name: 'path',
  wanted: `an absolute path of at most ${longestSocketPath} bytes (the kernel's limit for a socket)`,
  read(raw) {
    const socket = readPath(raw);
    return socket !== undefined && Buffer.byteLength(socket) <= longestSocketPath ? socket : undefined;
  },
};

/** A path of a socket, or the empty text for none. */
export const optionalSocketPath: Kind<string> = { ...socketPath, wanted: `${socketPath.wanted}, or "" for none`, read: (raw) => (raw === '' ? raw : socketPath.read(raw)) };

/** Paths in order of preference; as text, separated by commas. */
export const paths: Kind<readonly string[]> = {
  name: 'list of paths',
  wanted: 'one or more absolute paths',
  repeatable: true,
  read(raw) {
    if (!Array.isArray(raw) || raw.length === 0) return undefined;
    const read = raw.map(readPath);
    return read.includes(undefined) ? undefined : (read as string[]);
  },
  fromText: (text) => text.split(',').map((part) => part.trim()).filter((part) => part !== ''),
  write: (value) => `[${value.map((entry) => JSON.stringify(entry)).join(', ')}]`,
};

/** A list of texts, each read by `item`; as text, separated by commas. `wanted` tells of one of them. */
export function listOf<T>(request: { name: string; wanted: string; item(raw: string): T | undefined; write(value: T): string }): Omit<Kind<readonly T[]>, 'covered'> {
  const { name, wanted, item, write } = request;
  return {
    name,
    wanted,
    repeatable: true,
    read(raw) {
      if (!Array.isArray(raw)) return undefined;
      const read = raw.map((text) => (typeof text === 'string' ? item(text) : undefined));
      return read.includes(undefined) ? undefined : (read as T[]);
    },
    fromText: (text) => text.split(',').map((part) => part.trim()).filter((part) => part !== ''),
    write: (value) => `[${value.map((entry) => JSON.stringify(write(entry))).join(', ')}]`,
  };
}

/** A list of texts of a given form, `form` matching the whole of each. */
export function textsLike(name: string, wanted: string, form: RegExp): Kind<readonly string[]> {
  return listOf({ name, wanted, item: (text) => (form.test(text) ? text : undefined), write: (text) => text });
}

/** Names with values, written as a list of `NAME=VALUE`; of a name given twice the last counts. */
export function assignments(request: { name: string; wanted: string; nameForm: RegExp; valueForm: RegExp }): Kind<Readonly<Record<string, string>>> {
  const pairs = listOf<readonly [string, string]>({
    name: request.name,
    wanted: request.wanted,
    item(text) {
      const equals = text.indexOf('=');
      const [name, value] = [text.slice(0, equals), text.slice(equals + 1)];
      return equals > 0 && request.nameForm.test(name) && request.valueForm.test(value) ? [name, value] : undefined;
    },
    write: ([name, value]) => `${name}=${value}`,
  });
  return {
    ...pairs,
    read(raw) {
      const read = pairs.read(raw);
      return read === undefined ? undefined : Object.fromEntries(read);
    },
    write: (value) => pairs.write(Object.entries(value)),
  };
}

/** True or false. */
export const truth: Kind<boolean> = {
  name: 'true or false',
  wanted: 'true or false',
  read: (raw) => (typeof raw === 'boolean' ? raw : undefined),
  fromText: (text) => (text === 'true' ? true : text === 'false' ? false : text),
  write: String,
  choices: ['true', 'false'],
};

/** Like `paths`, and none is an answer too: `[]` in a file, the empty text in the environment. */
export const pathsOrNone: Kind<readonly string[]> = {
  ...paths,
  wanted: 'absolute paths, or none',
  read: (raw) => (Array.isArray(raw) && raw.length === 0 ? [] : paths.read(raw)),
};

/** A whole number within bounds, both included. */
export function integer(least: number, most: number): Kind<number> {
  return {
    name: 'integer',
    wanted: `a whole number from ${least} to ${most}`,
    read: (raw) => (typeof raw === 'number' && Number.isInteger(raw) && raw >= least && raw <= most ? raw : undefined),
    fromText: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text),
    write: String,
  };
}

/** Units from the largest to the smallest, as a value is written in the largest that divides it. */
type Units = readonly (readonly [unit: string, factor: number])[];

const timeUnits: Units = [['h', 3_600_000], ['m', 60_000], ['s', 1000], ['ms', 1]];
const sizeUnits: Units = [['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10], ['B', 1]];

const quantityForm = /^\d+(\.\d+)?\s*[A-Za-z]+(\s*\d+(\.\d+)?\s*[A-Za-z]+)*$/;

/** Reads `1m30s` or `16 MiB`: numbers each with a unit, added up. Undefined when it is anything else. */
function readQuantity(text: string, units: Units): number | undefined {
  if (!quantityForm.test(text)) return undefined;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/([\d.]+)\s*([A-Za-z]+)/g)) {
    const factor = units.find(([name]) => name === unit)?.[1];
    if (factor === undefined) return undefined;
    sum += Number(number) * factor;
  }
  return sum;
}

function writeQuantity(value: number, units: Units): string {
  const [unit, factor] = units.find(([, factor]) => value !== 0 && value % factor === 0) ?? units[units.length - 1]!;
  return `${value / factor}${unit}`;
}

function quantity(request: { name: string; units: Units; least: number; most: number; example: string; bare: boolean }): Kind<number> {
  const { name, units, least, most, example, bare } = request;
  const within = (value: number | undefined): number | undefined =>
    value !== undefined && Number.isInteger(value) && value >= least && value <= most ? value : undefined;
  return {
    name,
    wanted: `a ${name} such as "${example}", from ${writeQuantity(least, units)} to ${writeQuantity(most, units)}`,
    read(raw) {
      if (typeof raw === 'string') return within(readQuantity(raw, units));
      return bare && typeof raw === 'number' ? within(raw) : undefined;
    },
    fromText: (text) => (bare && /^\d{1,15}$/.test(text) ? Number(text) : text),
    write: (value) => JSON.stringify(writeQuantity(value, units)),
  };
}

/** A length of time, held in milliseconds: `30s`, `1m30s`, `500ms`. Bounds in milliseconds. A number without a unit is refused. */
export function duration(least: number, most: number): Kind<number> {
  return quantity({ name: 'duration', units: timeUnits, least, most, example: '30s', bare: false });
}

/** An amount of memory, held in bytes: `16MiB`, or a number of bytes. */
export function size(least: number, most: number): Kind<number> {
  return quantity({ name: 'size', units: sizeUnits, least, most, example: '16MiB', bare: true });
}
