/**
 * Compares src/gen/cri.proto with what Kubernetes published, release by release (src/gen/published/*.json): the newest
 * must be the same in every name, number and type; every older one, runtime.v1alpha2 included, must be readable
 * through ours: each of its fields is there under the same number and type. Also sees generated files that were edited
 * by hand or not regenerated. Exits 1 with the differences. Needs no protoc.
 *
 *   node scripts/check-wire.ts
 *   node scripts/check-wire.ts --record api.proto v1-1.38    writes the facts of a newly published api.proto
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import protobuf from 'protobufjs';
import { generatedMark, protos } from './generate-messages.ts';

/** Number, name, type; the type carries `repeated ` or reads `map<key, value>`. */
type Field = readonly [number, string, string];

/** What of an API is visible on the wire. What is nested in a message has its name in front: `Message.Enum`. */
export interface WireFacts {
  readonly package: string;
  /** `RuntimeService.Version`: `(VersionRequest) returns (VersionResponse)`. */
  readonly rpcs: Readonly<Record<string, string>>;
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly messages: Readonly<Record<string, readonly Field[]>>;
}

const newest = 'v1-1.37';
const folder = path.resolve(import.meta.dirname, '../src/gen');

/** Reads a proto3 file's facts. Options and comments have no place on the wire and are skipped. */
export function factsOf(proto: string): WireFacts {
  const parsed = protobuf.parse(proto, { keepCase: true });
  const rpcs: Record<string, string> = {};
  const enums: Record<string, Record<string, number>> = {};
  const messages: Record<string, Field[]> = {};
  const visit = (within: protobuf.NamespaceBase, prefix: string): void => {
    for (const item of within.nestedArray) {
      const name = prefix + item.name;
      if (item instanceof protobuf.Enum) enums[name] = item.values;
      else if (item instanceof protobuf.Service) for (const rpc of item.methodsArray) rpcs[`${name}.${rpc.name}`] = signatureOf(rpc);
      else if (item instanceof protobuf.Type) {
        messages[name] = item.fieldsArray.map((field) => fieldOf(field, item)).sort(([one], [other]) => one - other);
        visit(item, `${name}.`);
      }
    }
  };
  const name = parsed.package ?? '';
  visit(parsed.root.lookup(name) as protobuf.Namespace, '');
  return { package: name, rpcs, enums, messages };
}

function signatureOf(rpc: protobuf.Method): string {
  return `(${rpc.requestStream ? 'stream ' : ''}${rpc.requestType}) returns (${rpc.responseStream ? 'stream ' : ''}${rpc.responseType})`;
}

function fieldOf(field: protobuf.Field, within: protobuf.Type): Field {
  if (field instanceof protobuf.MapField) return [field.id, field.name, `map<${field.keyType}, ${field.type}>`];
  const type = within.get(field.type) === null ? field.type : `${within.name}.${field.type}`;
  return [field.id, field.name, field.repeated ? `repeated ${type}` : type];
}

/** Where `ours` is not the same as `published`, names included. */
export function changed(published: WireFacts, ours: WireFacts): string[] {
  const before = new Set(sentences(published));
  const now = new Set(sentences(ours));
  return [
    ...[...before].filter((line) => !now.has(line)).map((line) => `missing: ${line}`),
    ...[...now].filter((line) => !before.has(line)).map((line) => `not published: ${line}`),
  ];
}

function* sentences(facts: WireFacts): Generator<string> {
  yield `package ${facts.package}`;
  for (const [name, signature] of Object.entries(facts.rpcs)) yield `rpc ${name}${signature}`;
  for (const [name, values] of Object.entries(facts.enums)) {
    for (const [value, number] of Object.entries(values)) yield `enum ${name}.${value} = ${number}`;
  }
  for (const [name, fields] of Object.entries(facts.messages)) {
    yield `message ${name}`;
    for (const [number, field, type] of fields) yield `${name}: ${type} ${field} = ${number}`;
  }
}

/** What a peer of the older release could send that `ours` would not read as it was meant: names may have changed, numbers not. */
export function unreadable(older: WireFacts, ours: WireFacts): string[] {
  return [...unlikeRpcs(older, ours), ...missingNumbers(older, ours), ...unlikeFields(older, ours)];
}

function* unlikeRpcs(older: WireFacts, ours: WireFacts): Generator<string> {
  for (const [name, signature] of Object.entries(older.rpcs)) {
    if (ours.rpcs[name] !== signature) yield `rpc ${name}${signature}: ours is ${ours.rpcs[name] ?? 'absent'}`;
  }
}

function* missingNumbers(older: WireFacts, ours: WireFacts): Generator<string> {
  for (const [name, values] of Object.entries(older.enums)) {
    const numbers = new Set(Object.values(ours.enums[name] ?? {}));
    for (const [value, number] of Object.entries(values)) {
      if (!numbers.has(number)) yield `enum ${name}.${value} = ${number}: ours has no such number`;
    }
  }
}

function* unlikeFields(older: WireFacts, ours: WireFacts): Generator<string> {
  for (const [name, fields] of Object.entries(older.messages)) {
    const types = new Map((ours.messages[name] ?? []).map(([number, , type]) => [number, type]));
    for (const [number, field, type] of fields) {
      const here = types.get(number);
      if (!readsAs(type, here)) yield `${name}: ${type} ${field} = ${number}: ours is ${here ?? 'absent'}`;
    }
  }
}

/** A string is bytes on the wire: 1.37 made KeyValue.value bytes so that it may hold any. */
function readsAs(sent: string, read: string | undefined): boolean {
  return sent === read || (sent === 'string' && read === 'bytes');
}

/** JSON with one line for each rpc, enum and message, so that a difference between two releases reads well. */
function render(facts: WireFacts): string {
  const section = (entries: object): string => {
    const lines = Object.entries(entries).map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
    return `{\n${lines.join(',\n')}\n  }`;
  };
  const { rpcs, enums, messages } = facts;
  return `{
  "package": ${JSON.stringify(facts.package)},
  "rpcs": ${section(rpcs)},
  "enums": ${section(enums)},
  "messages": ${section(messages)}
}
`;
}

/** Everything that is wrong, one line each; empty when all agrees. */
export function check(): string[] {
  const proto = fs.readFileSync(path.join(folder, 'cri.proto'), 'utf8');
  const ours = factsOf(proto);
  const problems = fs.readdirSync(path.join(folder, 'published')).sort().flatMap((file) => {
    const release = path.basename(file, '.json');
    const published = JSON.parse(fs.readFileSync(path.join(folder, 'published', file), 'utf8')) as WireFacts;
    const found = release === newest ? changed(published, ours) : unreadable(published, ours);
    return found.map((problem) => `${release}: ${problem}`);
  });
  const stale = protos.filter((name) => !isGenerated(name));
  return [...problems, ...stale.map((name) => `src/gen/${name}.ts is not what ${name}.proto generates: run node scripts/generate-messages.ts`)];
}

function isGenerated(name: string): boolean {
  const proto = fs.readFileSync(path.join(folder, `${name}.proto`), 'utf8');
  const [mark, ...body] = fs.readFileSync(path.join(folder, `${name}.ts`), 'utf8').split('\n');
  return mark === generatedMark(name, proto, body.join('\n'));
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
