/**
 * A value out of somebody else's JSON or YAML file, taken apart member by member. What is not as wanted throws an Error that says where it
 * stands (`devices[0].name`), what was wanted, and nothing of the value itself beyond its short form.
 */
export class ForeignValue {
  /** Where it stands in its document; the empty text is the whole. */
  readonly where: string;
  readonly #value: unknown;

  constructor(value: unknown, where = '') {
    this.#value = value;
    this.where = where;
  }

  /** Absent, or null, which is how YAML spells a key without a value. */
  get absent(): boolean {
    return this.#value === undefined || this.#value === null;
  }

  /** As it was read. */
  get raw(): unknown {
    return this.#value;
  }

  get isList(): boolean {
    return Array.isArray(this.#value);
  }

  /** The members of an object; absent is an object without any. With `known`, any other name is refused. */
  members(known?: readonly string[]): { readonly names: readonly string[]; get(name: string): ForeignValue } {
    const value = this.absent ? {} : this.#value;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wants('an object');
    const names = Object.keys(value);
    const strange = known === undefined ? undefined : names.find((name) => !known.includes(name));
    if (strange !== undefined) throw new Error(`${this.#inside(strange)} is not known: known are ${known!.join(', ')}`);
    return { names, get: (name) => new ForeignValue(Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined, this.#inside(name)) };
  }

  /** The items of a list; absent is the empty one. */
  items(): readonly ForeignValue[] {
    if (this.absent) return [];
    if (!Array.isArray(this.#value)) throw this.wants('a list');
    return this.#value.map((item, index) => new ForeignValue(item, `${this.where}[${index}]`));
  }

  /** A text without a NUL byte. */
  text(): string {
    if (typeof this.#value !== 'string' || this.#value.includes('\0')) throw this.wants('a text');
    return this.#value;
  }

  textOr(fallback: string): string {
    return this.absent ? fallback : this.text();
  }

  texts(): readonly string[] {
    return this.items().map((item) => item.text());
  }

  /** A whole number within bounds, both included. */
  integer(least: number, most: number): number {
    if (typeof this.#value !== 'number' || !Number.isInteger(this.#value) || this.#value < least || this.#value > most) throw this.wants(`a whole number from ${least} to ${most}`);
    return this.#value;
  }

  integerOr<T>(fallback: T, least: number, most: number): number | T {
    return this.absent ? fallback : this.integer(least, most);
  }

  /** One of the words, the first of them when absent. */
  oneOf<T extends string>(words: readonly [T, ...T[]]): T {
    if (this.absent) return words[0];
    const found = words.find((word) => word === this.#value);
    if (found === undefined) throw this.wants(words.length === 1 ? words[0] : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`);
    return found;
  }

  flag(): boolean {
    if (typeof this.#value !== 'boolean') throw this.wants('true or false');
    return this.#value;
  }

  flagOr(fallback: boolean): boolean {
    return this.absent ? fallback : this.flag();
  }

  /** Makes (does not throw) the refusal of this value. */
  wants(wanted: string): Error {
    const found = this.absent ? 'nothing' : shortForm(this.#value);
    return new Error(`${this.where === '' ? 'the document' : this.where}: want ${wanted}, found ${found}`);
  }

  #inside(name: string): string {
    return this.where === '' ? name : `${this.where}.${name}`;
  }
}

function shortForm(value: unknown): string {
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
