/**
 * Reading a manifest's objects without trusting them. A Fields stands at one object of the document; it hands out
 * checked values, remembers which fields were asked for, and collects problems with their paths instead of throwing, so
 * that a person sees everything that is wrong at once.
 */
import { suggestion } from '../../../base/config/nearest.ts';

/** What is wrong, and what is merely left to the kubelet. */
export class Findings {
  readonly problems: string[] = [];
  /** Fields that have no meaning outside a cluster; named once for all objects. */
  readonly ignored = new Set<string>();
  readonly notes: string[] = [];
}

export class Fields {
  readonly path: string;
  readonly findings: Findings;
  readonly #source: string;
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #seen = new Set<string>();

  constructor(source: string, path: string, object: unknown, findings: Findings) {
    this.#source = source;
    this.path = path;
    this.findings = findings;
    this.#object = isObject(object) ? object : {};
    if (object !== undefined && object !== null && !isObject(object)) this.problem('', `wants an object, not ${shown(object)}`);
  }

  /** Notes a problem at a field of this object (`''`: at the object itself). */
  problem(field: string, what: string): void {
    const at = this.at(field);
    this.findings.problems.push(`${this.#source}: ${at === '' ? '' : `${at}: `}${what}`);
  }

  note(text: string): void {
    this.findings.notes.push(`${this.#source}: ${text}`);
  }

  at(field: string): string {
    return field === '' ? this.path : this.path === '' ? field : `${this.path}.${field}`;
  }

  has(field: string): boolean {
    return this.#object[field] !== undefined && this.#object[field] !== null;
  }

  text(field: string): string | undefined {
    return this.#checked(field, 'text', (value) => (typeof value === 'string' ? value : undefined));
  }

  /** Text that must be there and not empty. */
  required(field: string): string {
    const value = this.text(field);
    if (!this.has(field)) this.problem(field, 'is missing');
    else if (value === '') this.problem(field, 'is empty');
    return value ?? '';
  }

  oneOf<T extends string>(field: string, choices: readonly T[]): T | undefined {
    const value = this.text(field);
    if (value === undefined || (choices as readonly string[]).includes(value)) return value as T | undefined;
    this.problem(field, `is one of ${choices.filter(Boolean).join(', ')}, not ${shown(value)}`);
    return undefined;
  }

  flag(field: string): boolean | undefined {
    return this.#checked(field, 'true or false', (value) => (typeof value === 'boolean' ? value : undefined));
  }

  whole(field: string, range: { min: number; max: number }): number | undefined {
    return this.#checked(field, `a whole number from ${range.min} to ${range.max}`, (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= range.min && value <= range.max ? value : undefined,
    );
  }

  /** A user or group id. */
  id(field: string): bigint | undefined {
    const value = this.whole(field, { min: 0, max: 2 ** 31 - 1 });
    return value === undefined ? undefined : BigInt(value);
  }

  ids(field: string): bigint[] {
    return this.#items(field).flatMap((item, i) => {
      if (typeof item === 'number' && Number.isInteger(item) && item >= 0 && item < 2 ** 31) return [BigInt(item)];
      this.problem(`${field}[${i}]`, `wants an id, not ${shown(item)}`);
      return [];
    });
  }

  texts(field: string): string[] {
    return this.#items(field).flatMap((item, i) => {
      if (typeof item === 'string') return [item];
      this.problem(`${field}[${i}]`, `wants text, not ${shown(item)}${quoteHint(item)}`);
      return [];
    });
  }

  /** A map of text to text: labels, annotations. */
  textMap(field: string): Record<string, string> {
    const result: Record<string, string> = {};
    for (const [key, value] of this.entries(field)) {
      if (typeof value === 'string') result[key] = value;
      else this.problem(`${field}.${key}`, `wants text, not ${shown(value)}${quoteHint(value)}`);
    }
    return result;
  }

  /** The raw entries of a map; values are for the caller to check. */
  entries(field: string): [string, unknown][] {
    const value = this.#checked(field, 'an object', (one) => (isObject(one) ? one : undefined));
    return Object.entries(value ?? {});
  }

  /** The object at a field; an empty one when it is not there. */
  object(field: string): Fields {
    this.#seen.add(field);
    return new Fields(this.#source, this.at(field), this.#object[field], this.findings);
  }

  list<T>(field: string, read: (item: Fields) => T): T[] {
    return this.#items(field).map((item, i) => {
      const fields = new Fields(this.#source, this.at(`${field}[${i}]`), item ?? {}, this.findings);
      const result = read(fields);
      fields.end();
      return result;
    });
  }

  /** Fields that mean nothing here; those present are told in one notice. */
  ignore(...fields: readonly string[]): void {
    for (const field of fields) {
      this.#seen.add(field);
      if (this.has(field)) this.findings.ignored.add(field);
    }
  }

  /** Fields that the API server writes, and that mean nothing to anybody who reads a manifest. */
  skip(...fields: readonly string[]): void {
    for (const field of fields) this.#seen.add(field);
  }

  /** To be called when all known fields were asked for: what is left was not understood. */
  end(): void {
    const unknown = Object.keys(this.#object).filter((field) => !this.#seen.has(field));
    for (const field of unknown) this.problem(field, `gantry play does not know this field${suggestion(field, this.#seen)}`);
  }

  #items(field: string): unknown[] {
    return this.#checked(field, 'a list', (value) => (Array.isArray(value) ? value : undefined)) ?? [];
  }

  #checked<T>(field: string, wanted: string, check: (value: unknown) => T | undefined): T | undefined {
    this.#seen.add(field);
    if (!this.has(field)) return undefined;
    const value = check(this.#object[field]);
    if (value === undefined) this.problem(field, `wants ${wanted}, not ${shown(this.#object[field])}${wanted === 'text' ? quoteHint(this.#object[field]) : ''}`);
    return value;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Date) return `the date ${value.toISOString()}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** YAML reads `yes`, `8080` and `2026-01-31` as something else than text. */
function quoteHint(value: unknown): string {
  return ['number', 'boolean'].includes(typeof value) || value instanceof Date ? ' (put it in quotes)' : '';
}
