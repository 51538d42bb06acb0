/**
 * What a configuration schema is made of: settings in tables, and tables that the operator names. The TOML key, the
 * environment variable and the type of the finished configuration all follow from where a setting stands in the tree.
 */
import type { Kind } from './kinds.ts';

/** One setting. */
export interface Setting<T> {
  readonly node: 'setting';
  readonly kind: Kind<T>;
  readonly default: NoInfer<T>;
  /** What it is for, as sentences. */
  readonly about: string;
  /** `live`: a reload applies it. `restart`: only a new start does. */
  readonly applies: 'live' | 'restart';
  /** Its flag of `gantry serve`, when it has one. */
  readonly flag?: `--${string}`;
}

/** A TOML table of settings and further tables. */
export interface Table<M> {
  readonly node: 'table';
  readonly about: string;
  readonly members: M;
}

/** A TOML table whose keys the operator chooses, each holding the settings of `entry`. */
export interface Named<E> {
  readonly node: 'named';
  readonly about: string;
  /** What a name may be, to end the sentence "want …", and its form. */
  readonly wantedName: string;
  readonly nameForm: RegExp;
  readonly entry: Table<E>;
  /** The entries there are without being configured, as TOML would hold them. */
  readonly defaults: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** A setting inside a named table that has no default: an entry without it is an error. One that has a default is a plain Setting. */
export type RequiredSetting<T> = Omit<Setting<T>, 'default' | 'flag'> & { readonly default?: undefined };

/** The value that a schema describes, read-only all through. */
export type ValueOf<N> =
  N extends { readonly node: 'setting'; readonly kind: Kind<infer T> } ? T
    : N extends Table<infer M> ? { readonly [K in keyof M]: ValueOf<M[K]> }
      : N extends Named<infer E> ? Readonly<Record<string, ValueOf<Table<E>>>>
        : never;

export type AnySetting = Setting<unknown> | RequiredSetting<unknown>;
export type AnyTable = Table<Readonly<Record<string, AnyNode>>>;
export type AnyNamed = Named<Readonly<Record<string, AnySetting>>>;
export type AnyNode = AnySetting | AnyTable | AnyNamed;

export function setting<T>(detail: Omit<Setting<T>, 'node'>): Setting<T> {
  return { node: 'setting', ...detail };
}

export function required<T>(detail: Omit<RequiredSetting<T>, 'node' | 'default'>): RequiredSetting<T> {
  return { node: 'setting', ...detail };
}

export function table<M>(about: string, members: M): Table<M> {
  return { node: 'table', about, members };
}

export function named<E>(detail: Omit<Named<E>, 'node'>): Named<E> {
  return { node: 'named', ...detail };
}

/** The TOML key of a member: `maxMessageBytes` is `max_message_bytes`. */
export function tomlName(member: string): string {
  return member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The environment variable of a key: `cni.conf_dir` is `GANTRY_CNI_CONF_DIR`. */
export function environmentName(key: string): string {
  return `GANTRY_${key.replaceAll('.', '_').toUpperCase()}`;
}
