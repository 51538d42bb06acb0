/** The configuration as TOML: the default file with its explanations, and the effective values with their origins. */
import { keyOf } from './keys.ts';
import type { Entry } from './layer.ts';
import { schema } from './schema.ts';
import { environmentName, tomlName } from './tree.ts';
import type { AnyNamed, AnyNode, AnySetting, AnyTable } from './tree.ts';
import { namesIn, tomlOf } from './values.ts';
import type { Entries } from './values.ts';

/** Folds a text into lines of at most `width` characters, each behind `lead`. */
export function fold(text: string, lead: string, width: number): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && lead.length + last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => lead + line).join('\n');
}

/** What `gantry config default` prints: every setting explained, with its default, ready to be edited. */
export function defaultToml(): string {
  const intro = fold(
    'The configuration of gantry. Every setting is shown with its default; a file needs only those that differ. Settings of <this file>.d/*.toml win over this file, the environment over those, flags over all.',
    '# ',
    100,
  );
  return `${[intro, ...tableToml(schema, '')].join('\n\n')}\n`;
}

function tableToml(table: AnyTable, key: string): string[] {
  const nodes = Object.entries(table.members).map(([member, node]) => ({ name: tomlName(member), node }));
  const own = nodes.flatMap(({ name, node }) => (node.node === 'setting' ? [settingToml(name, keyOf(key, name), node)] : []));
  const inner = nodes.flatMap(({ name, node }) => innerToml(node, keyOf(key, name)));
  return key === '' ? [...own, ...inner] : [`${fold(table.about, '# ', 100)}\n[${key}]`, ...own, ...inner];
}

function innerToml(node: AnyNode, key: string): string[] {
  if (node.node === 'setting') return [];
  if (node.node === 'table') return tableToml(node, key);
  const entries = Object.entries(node.defaults).map(([name, members]) => {
    const lines = Object.entries(node.entry.members).flatMap(([member, { kind }]) => (members[member] === undefined ? [] : [`${tomlName(member)} = ${kind.write(members[member])}`]));
    return [`[${key}.${name}]`, ...lines].join('\n');
  });
  return [[fold(node.about, '# ', 100), ...entryToml(node, key), ...entries].join('\n')];
}

/** What an entry of a named table holds, for whoever writes one. */
function entryToml({ entry }: AnyNamed, key: string): string[] {
  const members = Object.entries(entry.members).flatMap(([member, { kind, about, default: value }]) => [
    fold(about, '#   ', 100),
    value === undefined ? `#   ${tomlName(member)} = ...  (has to be given)` : `#   ${tomlName(member)} = ${kind.write(value)}`,
  ]);
  return [`# [${key}.NAME]`, ...members];
}

function settingToml(name: string, key: string, { kind, about, applies, default: value }: AnySetting): string {
  const needs = applies === 'restart' ? ' A change needs a restart.' : '';
  const form = `Takes ${kind.wanted}; also set by ${environmentName(key)}.${needs}`;
  return `${fold(about, '# ', 100)}\n${fold(form, '# ', 100)}\n${lineToml(`${name} = ${kind.write(value)}`)}`;
}

/** A long list goes on in further lines. No default has a blank within a text. */
function lineToml(line: string): string {
  return line.length <= 100 ? line : fold(line, '  ', 100).trimStart();
}

/** What `gantry config show` prints: the effective values as TOML, each with where it came from. */
export function effectiveToml(entries: Entries): string {
  const lines = linesOf(schema, '', entries);
  // A long list has its origin right behind it, rather than all others far from their values.
  const width = Math.max(...lines.map(({ text, origin }) => (origin === undefined || text.length > 60 ? 0 : text.length)));
  return `${lines.map(({ text, origin }) => (origin === undefined ? text : `${text.padEnd(width)}  # ${origin}`)).join('\n')}\n`;
}

interface Line {
  readonly text: string;
  readonly origin?: string;
}

function linesOf(table: AnyTable, key: string, entries: Entries): Line[] {
  const nodes = Object.entries(table.members).map(([member, node]) => ({ name: tomlName(member), node }));
  const own = nodes.flatMap(({ name, node }) => (node.node === 'setting' ? [lineOf(name, keyOf(key, name), entries)] : []));
  const head: Line[] = own.length === 0 || key === '' ? [] : [{ text: '' }, { text: `[${key}]` }];
  const inner = nodes.flatMap(({ name, node }) => {
    const below = keyOf(key, name);
    if (node.node === 'setting') return [];
    if (node.node === 'table') return linesOf(node, below, entries);
    return namesIn(entries, below).flatMap((entry) => linesOf(node.entry, keyOf(below, entry), entries));
  });
  return [...head, ...own, ...inner];
}

function lineOf(name: string, key: string, entries: ReadonlyMap<string, Entry>): Line {
  return { text: `${name} = ${tomlOf(key, entries)}`, origin: entries.get(key)?.origin ?? 'default' };
}
