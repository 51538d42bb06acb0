/** Parameters of a query, as lenient as Docker is with them. */
import { failure } from '../../base/errors.ts';

/** Given in any way that is no "no". */
export function isOn(query: URLSearchParams, name: string): boolean {
  return !['', '0', 'no', 'false', 'none'].includes((query.get(name) ?? '').trim().toLowerCase());
}

/** What `filters` asks for: for each name its texts, one of which has to fit. */
export class Filters {
  readonly #wanted: ReadonlyMap<string, readonly string[]>;

  /** `known` are the names that the endpoint understands: another is invalid-argument, as is what is no JSON of such a form. */
  constructor(query: URLSearchParams, known: readonly string[]) {
    this.#wanted = parse(query.get('filters') ?? '');
    const strange = [...this.#wanted.keys()].find((name) => !known.includes(name));
    if (strange !== undefined) throw refusal(`${JSON.stringify(strange)} is not known here: known are ${known.join(', ')}`);
  }

  has(name: string): boolean {
    return this.of(name).length > 0;
  }

  of(name: string): readonly string[] {
    return this.#wanted.get(name) ?? [];
  }

  /** True when nothing of this name is asked for, or one of the texts fits. */
  any(name: string, fits: (text: string) => boolean): boolean {
    return !this.has(name) || this.of(name).some(fits);
  }

  /** `label` filters, which all have to fit: `name`, or `name=value`. */
  labels(labels: Readonly<Record<string, string>>): boolean {
    return this.of('label').every((wanted) => {
      const equals = wanted.indexOf('=');
      return equals < 0 ? Object.hasOwn(labels, wanted) : labels[wanted.slice(0, equals)] === wanted.slice(equals + 1);
    });
  }
}

/** `{"name": ["text"]}`, or `{"name": {"text": true}}` of older clients. */
function parse(text: string): Map<string, readonly string[]> {
  if (text === '') return new Map();
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    document = undefined;
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) throw refusal('want a JSON object such as {"label":["app=web"]}');
  return new Map(Object.entries(document).map(([name, value]) => [name, textsOf(name, value)]));
}

function textsOf(name: string, value: unknown): string[] {
  if (typeof value !== 'object') throw refusal(`want ${JSON.stringify({ [name]: ['text'] })}`);
  const texts: unknown[] = Array.isArray(value) ? value : Object.entries((value ?? {}) as object).filter(([, on]) => on === true).map(([text]) => text);
  if (!texts.every((text) => typeof text === 'string')) throw refusal(`the texts of ${JSON.stringify(name)} are no texts`);
  return texts;
}

function refusal(why: string): Error {
  return failure('invalid-argument', { act: 'read parameter', object: 'filters', why });
}
