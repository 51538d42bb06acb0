/**
 * A layer: what one source (a file, the environment, the flags) says about some settings, read and checked, and what
 * is wrong with the rest. Later layers win, setting by setting.
 */
import type { AnySetting } from './tree.ts';

/** The value of a setting and where it came from, as people would say it: a path, `flag --root`, `default`. */
export interface Entry {
  readonly value: unknown;
  readonly origin: string;
}

export interface Layer {
  readonly entries: ReadonlyMap<string, Entry>;
  /** One sentence for each fault: where, which key, what was found, what is wanted. */
  readonly problems: readonly string[];
}

/** A value as it is shown in messages: short, on one line, control characters escaped. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? Number(inner) : inner)) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

export function unfit(fault: { origin: string; key: string; value: unknown; wanted: string }): string {
  return `${fault.origin}: ${fault.key} = ${shown(fault.value)}: want ${fault.wanted}`;
}

/** What was to be a list of variables may hold secrets too: of those that look like one the name is told. */
function coveredRaw(raw: unknown): unknown {
  if (!Array.isArray(raw)) return '…';
  return raw.map((text) => (typeof text === 'string' && text.includes('=') ? `${text.slice(0, text.indexOf('='))}=…` : '…'));
}

/** Collects one layer. */
export class LayerBuilder implements Layer {
  readonly entries = new Map<string, Entry>();
  readonly problems: string[] = [];

  /** Reads `raw`, in the form that TOML has, as the value of `key`. */
  read(reading: { key: string; setting: AnySetting; raw: unknown; origin: string }): void {
    const { key, setting, raw, origin } = reading;
    const value = setting.kind.read(raw);
    if (value === undefined) this.problems.push(unfit({ origin, key, value: setting.kind.covered === undefined ? raw : coveredRaw(raw), wanted: setting.kind.wanted }));
    else this.entries.set(key, { value, origin });
  }
}
