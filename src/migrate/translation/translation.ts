/** What becomes of the settings of another runtime: pure tables, one a source. */
import { messageOf } from '../../base/errors.ts';
import type { ForeignValue } from '../../base/foreign-value.ts';

/**
 * `maps`: Gantry does the same, by the setting that `becomes` names or by itself. `changes`: it does something else, and the note says what. `lost`: there is
 * nothing like it, and who needed it has to act. `needless`: it has no meaning any more, and nobody misses it.
 */
export const verdicts = ['maps', 'changes', 'lost', 'needless'] as const;
export type Verdict = (typeof verdicts)[number];

/** A part of Gantry's configuration file: keys with dots, as docs/configuration.md has them. */
export type Config = Readonly<Record<string, ConfigValue>>;
export type ConfigValue = string | number | boolean | readonly string[];

export interface Outcome {
  readonly verdict: Verdict;
  /** Lower case, no full stop; with what to do, where something is to be done. */
  readonly note: string;
  readonly becomes?: Config;
}

/** One setting of the source. */
export interface Translation extends Outcome {
  /** As the source spells it: `exec-opts`, `plugins.cri.registry`. */
  readonly setting: string;
  readonly value: string;
}

/** What a source says of the settings that its table knows, each by its name; throws an Error that names what it wants instead. */
export type Rules = Readonly<Record<string, Outcome | ((value: ForeignValue) => Outcome | readonly Outcome[])>>;

export function maps(becomes: Config, note = 'the same'): Outcome {
  return { verdict: 'maps', note, becomes };
}

export function alike(note: string): Outcome {
  return { verdict: 'maps', note };
}

export function changes(note: string, becomes?: Config): Outcome {
  return { verdict: 'changes', note, ...(becomes === undefined ? {} : { becomes }) };
}

export function lost(note: string): Outcome {
  return { verdict: 'lost', note };
}

export function needless(note: string): Outcome {
  return { verdict: 'needless', note };
}

/** Translates the members of an object by their rules. A value that its rule cannot read, and a setting without a rule, are told as lost. */
export function translate(object: ForeignValue, rules: Rules, prefix = ''): Translation[] {
  const members = object.members();
  return members.names.flatMap((name) => {
    const value = members.get(name);
    const told = { setting: `${prefix}${name}`, value: shortForm(value) };
    return outcomesOf(value, rules[name]).map((outcome) => ({ ...told, ...outcome }));
  });
}

function outcomesOf(value: ForeignValue, rule: Rules[string] | undefined): readonly Outcome[] {
  if (rule === undefined) return [lost('not known here: look whether this node needs it')];
  if (typeof rule !== 'function') return [rule];
  try {
    return [rule(value)].flat();
  } catch (error) {
    return [lost(`it cannot be read: ${messageOf(error)}`)];
  }
}

/** All that the translations make of Gantry's configuration; where two say something of one key, the later counts. */
export function configOf(translations: readonly Translation[]): Config {
  return Object.assign({}, ...translations.map(({ becomes }) => becomes ?? {}));
}

function shortForm(value: ForeignValue): string {
  const text = JSON.stringify(value.raw) ?? '';
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
