/** The base spec of a runtime handler: an OCI config.json of the node's administrator that lies under the one made for each container. */
import { failure, messageOf } from '../../base/errors.ts';
import { parseJsonExactly } from './parse-json-exactly.ts';

type Json = Readonly<Record<string, unknown>>;

/** A parsed and checked base spec; numbers beyond 2^53 are bigints. */
export interface BaseSpec {
  readonly members: Json;
}

/** Lists whose entries have a name of their own: by path, how to tell it. */
const namedLists: Readonly<Record<string, (entry: unknown) => unknown>> = {
  'process.env': (entry) => String(entry).split('=', 1)[0],
  'process.rlimits': member('type'),
  mounts: member('destination'),
  'linux.devices': member('path'),
  'linux.maskedPaths': (entry) => entry,
  'linux.readonlyPaths': (entry) => entry,
};

/** What is one decision, and never mixed out of two: ours counts alone, where we have one. */
const indivisible: ReadonlySet<string> = new Set(['root', 'process.user', 'process.capabilities', 'linux.seccomp', 'linux.namespaces', 'linux.intelRdt']);

/** The shape of what is merged member by member; what is not listed may be anything. */
const objects: readonly string[] = ['root', 'process', 'process.user', 'process.capabilities', 'linux', 'linux.resources', 'linux.seccomp', 'hooks', 'annotations'];
const lists: readonly string[] = [
  ...Object.keys(namedLists), 'process.args', 'linux.namespaces', 'linux.resources.devices',
  'hooks.prestart', 'hooks.createRuntime', 'hooks.createContainer', 'hooks.startContainer', 'hooks.poststart', 'hooks.poststop',
];
const members: readonly string[] = ['ociVersion', 'root', 'process', 'hostname', 'domainname', 'mounts', 'hooks', 'annotations', 'linux', 'vm'];

/**
 * Reads a base spec. failed-precondition, naming the file and the member, when it is not an OCI config.json (runtime-spec 1.x) for Linux: found
 * when the daemon starts, not when the first pod does.
 */
export function parseBaseSpec(text: string, path: string): BaseSpec {
  try {
    const spec = parseJsonExactly(text);
    if (!isObject(spec)) throw new Error('it is not a JSON object');
    for (const name of Object.keys(spec)) if (!members.includes(name)) throw new Error(`${name} is no member of an OCI config.json for Linux`);
    if (spec['ociVersion'] !== undefined && !/^1\.\d/.test(String(spec['ociVersion']))) throw new Error(`ociVersion is ${String(spec['ociVersion'])}, not 1.x`);
    for (const at of objects) check(spec, at, isObject, 'an object');
    for (const at of lists) check(spec, at, Array.isArray, 'a list');
    for (const at of ['process.env', 'linux.maskedPaths', 'linux.readonlyPaths']) checkEntries(spec, at, (entry) => typeof entry === 'string', 'texts');
    for (const [at, key] of [['mounts', 'destination'], ['process.rlimits', 'type'], ['linux.devices', 'path']] as const) checkEntries(spec, at, (entry) => typeof member(key)(entry) === 'string', `objects with a ${key}`);
    checkEntries({ annotations: Object.values(isObject(spec['annotations']) ? spec['annotations'] : {}) }, 'annotations', (value) => typeof value === 'string', 'texts');
    return { members: spec };
  } catch (error) {
    throw failure('failed-precondition', { act: 'read base spec', object: path, why: messageOf(error) });
  }
}

/**
 * Puts a spec over its base. Both are merged member by member, and where both say something the spec's word counts; of two lists with entries
 * of one name (environment, rlimits, mounts, devices) or of plain paths, the base's entries of other names are kept, in front. Device rules
 * of the base come after the spec's, as later ones decide. Any other list, and what is one decision (user, capabilities, seccomp,
 * namespaces, root), is the spec's alone where it has one.
 */
export function mergeBaseSpec<T extends object>(base: BaseSpec, spec: T): T {
  return merged(base.members, spec as Json, '') as T;
}

function merged(base: Json, over: Json, at: string): Json {
  const names = new Set([...Object.keys(base), ...Object.keys(over)]);
  return Object.fromEntries([...names].map((name) => [name, mergedMember(base[name], over[name], at === '' ? name : `${at}.${name}`)]));
}

function mergedMember(base: unknown, over: unknown, at: string): unknown {
  if (over === undefined) return structuredClone(base);
  if (base === undefined || indivisible.has(at)) return over;
  if (Array.isArray(base) && Array.isArray(over)) return mergedList(base, over, at);
  return isObject(base) && isObject(over) ? merged(base, over, at) : over;
}

function mergedList(base: readonly unknown[], over: readonly unknown[], at: string): readonly unknown[] {
  if (at === 'linux.resources.devices') return [...over, ...structuredClone(base)];
  const nameOf = namedLists[at];
  if (nameOf === undefined) return over.length > 0 ? over : structuredClone(base);
  const names = new Set(over.map(nameOf));
  return [...structuredClone(base.filter((entry) => !names.has(nameOf(entry)))), ...over];
}

function check(spec: Json, at: string, is: (value: unknown) => boolean, what: string): void {
  const value = valueAt(spec, at);
  if (value !== undefined && !is(value)) throw new Error(`${at} is not ${what}`);
}

function checkEntries(spec: Json, at: string, is: (entry: unknown) => boolean, what: string): void {
  const value = valueAt(spec, at);
  if (Array.isArray(value) && !value.every(is)) throw new Error(`${at} has others than ${what}`);
}

function valueAt(spec: Json, at: string): unknown {
  return at.split('.').reduce<unknown>((value, name) => (isObject(value) ? value[name] : undefined), spec);
}

function member(name: string): (entry: unknown) => unknown {
  return (entry) => (isObject(entry) ? entry[name] : undefined);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
