/** The layer of one TOML file. */
import { parse } from 'smol-toml';
import { messageOf } from '../errors.ts';
import { knownKeys, keyOf, memberOf } from './keys.ts';
import { LayerBuilder, unfit } from './layer.ts';
import type { Layer } from './layer.ts';
import { nearest } from './nearest.ts';
import { schema } from './schema.ts';
import { tomlName } from './tree.ts';
import type { AnyNamed, AnyNode, AnyTable } from './tree.ts';

type TomlTable = Readonly<Record<string, unknown>>;

function isTable(raw: unknown): raw is TomlTable {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) && !(raw instanceof Date);
}

/** Reads what a table holds into the layer; each method is one kind of node of the schema. */
class TomlReader {
  readonly layer = new LayerBuilder();
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  members(table: AnyTable, raw: TomlTable, parent: string): void {
    for (const [name, value] of Object.entries(raw)) {
      const key = keyOf(parent, name);
      const node = memberOf(table, name);
      if (node === undefined) this.#unknown(table, key, parent);
      else this.#node(node, value, key);
    }
  }

  #node(node: AnyNode, raw: unknown, key: string): void {
    if (node.node === 'setting') this.layer.read({ key, setting: node, raw, origin: this.#origin });
    else if (!isTable(raw)) this.#unfit(key, raw, `a table: write [${key}]`);
    else if (node.node === 'table') this.members(node, raw, key);
    else this.#names(node, raw, key);
  }

  #names(node: AnyNamed, raw: TomlTable, parent: string): void {
    for (const [name, value] of Object.entries(raw)) {
      const key = keyOf(parent, name);
      if (!node.nameForm.test(name)) this.layer.problems.push(`${this.#origin}: ${printable(key)}: want a name of ${node.wantedName}`);
      else if (!isTable(value)) this.#unfit(key, value, `a table: write [${key}]`);
      else this.#entry(node, value, key);
    }
  }

  /** An entry is written whole: what it lacks in one file is not looked for in another. */
  #entry(node: AnyNamed, raw: TomlTable, key: string): void {
    this.members(node.entry, raw, key);
    for (const [member, setting] of Object.entries(node.entry.members)) {
      const name = tomlName(member);
      if (Object.hasOwn(raw, name)) continue;
      if (setting.default === undefined) this.layer.problems.push(`${this.#origin}: ${keyOf(key, name)} is missing: want ${setting.kind.wanted}`);
      else this.layer.entries.set(keyOf(key, name), { value: setting.default, origin: 'default' });
    }
  }

  #unknown(table: AnyTable, key: string, parent: string): void {
    const sibling = nearest(key.slice(keyOf(parent, '').length), Object.keys(table.members).map(tomlName));
    const meant = sibling === undefined ? nearest(key, knownKeys) : keyOf(parent, sibling);
    this.layer.problems.push(`${this.#origin}: unknown key ${printable(key)}${meant === undefined ? '' : `: did you mean ${meant}?`}`);
  }

  #unfit(key: string, value: unknown, wanted: string): void {
    this.layer.problems.push(unfit({ origin: this.#origin, key, value, wanted }));
  }
}

/** A key as a message may hold it: TOML allows any character in a quoted key. */
function printable(key: string): string {
  return /^[-\w.]+$/.test(key) ? key : JSON.stringify(key);
}

/** Reads the text of a file; `origin` is what messages call it. Never throws: what is wrong is among the problems. */
export function readToml(text: string, origin: string): Layer {
  let parsed: TomlTable;
  try {
    parsed = parse(text);
  } catch (error) {
    return { entries: new Map(), problems: [`${origin}: not TOML: ${messageOf(error).trim()}`] };
  }
  const reader = new TomlReader(origin);
  reader.members(schema, parsed, '');
  return reader.layer;
}
