/**
 * Compares src/gen/cri.proto with what Kubernetes published, release by release (src/gen/published/*.json): the newest
 * must be the same in every name, number and type; every older one, runtime.v1alpha2 included, must be readable
 * through ours: each of its fields is there under the same number and type. Also sees a cri.ts that was edited by hand or
 * not regenerated. Exits 1 with the differences.
 *
 *   node scripts/check-wire.ts
 *   node scripts/check-wire.ts --record api.proto v1-1.38    writes the facts of a newly published api.proto
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import protobuf from 'protobufjs';
import { generatedMark } from './generate-cri.ts';

/** Number, name, type; the type carries `repeated ` or reads `map<key, value>`. */
type Field = readonly [number, string, string];
/** Request, response, and `stream` when the answer is one. */
type Rpc = readonly [string, string, ...'stream'[]];

/** What of an API is visible on the wire. Nested enums are named `Message.Enum`. */
export interface WireFacts {
  readonly package: string;
  readonly services: Readonly<Record<string, Readonly<Record<string, Rpc>>>>;
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly messages: Readonly<Record<string, readonly Field[]>>;
}

const newest = 'v1-1.37';
const folder = path.resolve(import.meta.dirname, '../src/gen');

/** Reads a proto3 file's facts. Options and comments have no place on the wire and are skipped. */
export function factsOf(proto: string): WireFacts {
  const parsed = protobuf.parse(proto, { keepCase: true });
  const found = { package: parsed.package ?? '', services: {} as Record<string, Record<string, Rpc>>, enums: {} as Record<string, Record<string, number>>, messages: {} as Record<string, Field[]> };
  const visit = (within: protobuf.NamespaceBase, prefix: string): void => {
    for (const item of within.nestedArray) {
      const name = prefix + item.name;
      if (item instanceof protobuf.Enum) found.enums[name] = item.values;
      else if (item instanceof protobuf.Service) found.services[name] = Object.fromEntries(item.methodsArray.map((method) => [method.name, rpcOf(method)]));
      else if (item instanceof protobuf.Type) {
        found.messages[name] = item.fieldsArray.map((field): Field => [field.id, field.name, typeOf(field, item)]).sort((a, b) => a[0] - b[0]);
        visit(item, `${name}.`);
      }
    }
  };
  visit(parsed.package === undefined ? parsed.root : parsed.root.lookup(parsed.package) as protobuf.Namespace, '');
  return found;
}

function rpcOf(method: protobuf.Method): Rpc {
  return method.responseStream ? [method.requestType, method.responseType, 'stream'] : [method.requestType, method.responseType];
}

function typeOf(field: protobuf.Field, within: protobuf.Type): string {
  if (field instanceof protobuf.MapField) return `map<${field.keyType}, ${field.type}>`;
  const type = within.get(field.type) === null ? field.type : `${within.name}.${field.type}`;
  return field.repeated ? `repeated ${type}` : type;
}

/** Where `ours` is not the same as `published`, names included. */
export function changed(published: WireFacts, ours: WireFacts): string[] {
  const [before, now] = [linesOf(published), linesOf(ours)];
  return [
    ...[...before].filter((line) => !now.has(line)).map((line) => `missing: ${line}`),
    ...[...now].filter((line) => !before.has(line)).map((line) => `not published: ${line}`),
  ];
}

function linesOf(facts: WireFacts): Set<string> {
  const lines = [`package ${facts.package}`];
  for (const [service, rpcs] of Object.entries(facts.services)) for (const [name, rpc] of Object.entries(rpcs)) lines.push(`rpc ${service}.${name}(${rpc.join(', ')})`);
  for (const [name, values] of Object.entries(facts.enums)) for (const [value, number] of Object.entries(values)) lines.push(`enum ${name}.${value} = ${number}`);
  for (const [name, fields] of Object.entries(facts.messages)) {
    lines.push(`message ${name}`);
    for (const [number, field, type] of fields) lines.push(`${name}: ${type} ${field} = ${number}`);
  }
  return new Set(lines);
}

/** What a peer of the older release could send that `ours` would not read as it was meant. Names may have changed, numbers not. */
export function unreadable(older: WireFacts, ours: WireFacts): string[] {
  const problems: string[] = [];
  for (const [service, rpcs] of Object.entries(older.services)) {
    for (const [name, rpc] of Object.entries(rpcs)) {
      const here = ours.services[service]?.[name];
      if (here?.join() !== rpc.join()) problems.push(`rpc ${service}.${name}(${rpc.join(', ')}): ours is ${here === undefined ? 'absent' : `(${here.join(', ')})`}`);
    }
  }
  for (const [name, values] of Object.entries(older.enums)) {
    const numbers = new Set(Object.values(ours.enums[name] ?? {}));
    for (const [value, number] of Object.entries(values)) if (!numbers.has(number)) problems.push(`enum ${name}.${value} = ${number}: ours has no such number`);
  }
  for (const [name, fields] of Object.entries(older.messages)) {
    const here = new Map((ours.messages[name] ?? []).map((field) => [field[0], field]));
    for (const [number, field, type] of fields) {
      const ourType = here.get(number)?.[2];
      if (ourType === undefined || !readsAs(type, ourType)) problems.push(`${name}: ${type} ${field} = ${number}: ours is ${ourType ?? 'absent'}`);
    }
  }
  return problems;
}

/** A string is bytes on the wire: 1.37 made KeyValue.value bytes so that it may hold any. */
function readsAs(sent: string, read: string): boolean {
  return sent === read || (sent === 'string' && read === 'bytes');
}

/** One line a message, so that a difference between two releases reads well. */
function render(facts: WireFacts): string {
  const section = (name: string, entries: object) => `  "${name}": {\n${Object.entries(entries).map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(',\n')}\n  }`;
  return `{\n  "package": ${JSON.stringify(facts.package)},\n${section('services', facts.services)},\n${section('enums', facts.enums)},\n${section('messages', facts.messages)}\n}\n`;
}

/** Everything that is wrong, one line each; empty when all agrees. */
export function check(): string[] {
  const proto = fs.readFileSync(path.join(folder, 'cri.proto'), 'utf8');
  const ours = factsOf(proto);
  const problems: string[] = [];
  for (const file of fs.readdirSync(path.join(folder, 'published')).sort()) {
    const release = path.basename(file, '.json');
    const published = JSON.parse(fs.readFileSync(path.join(folder, 'published', file), 'utf8')) as WireFacts;
    const found = release === newest ? changed(published, ours) : unreadable(published, ours);
    problems.push(...found.map((problem) => `${release}: ${problem}`));
  }
  const [mark, ...rest] = fs.readFileSync(path.join(folder, 'cri.ts'), 'utf8').split('\n');
  if (mark !== generatedMark(proto, rest.join('\n'))) problems.push('src/gen/cri.ts is not what cri.proto generates: run node scripts/generate-cri.ts');
  return problems;
}

function main(args: readonly string[]): void {
  const [verb, proto, release] = args;
  if (verb === '--record' && proto !== undefined && release !== undefined) {
    fs.writeFileSync(path.join(folder, 'published', `${release}.json`), render(factsOf(fs.readFileSync(proto, 'utf8'))));
    return;
  }
  const problems = check();
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exit(1);
  console.log(`wire: cri.proto is ${newest} and reads every older release`);
}

if (import.meta.main) main(process.argv.slice(2));
