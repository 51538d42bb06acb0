import { failure, GantryError } from '../../base/errors.ts';
import { isAtLeast, parseKernelVersion } from './host-facts.ts';
import type { HostFacts, KernelVersion } from './host-facts.ts';
import type { OciSeccomp, OciSyscall, OciSyscallArg } from './oci-spec.ts';
import { parseJsonExactly } from './parse-json-exactly.ts';

/**
 * A seccomp profile as people write it: the OCI form, with Docker's conditions (`archMap`, `includes`, `excludes`) that depend on the machine and on
 * the container. compileSeccomp decides them.
 */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly flags?: readonly string[];
  /** The socket of the program that answers SCMP_ACT_NOTIFY, and what it is told of the container. */
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly SeccompArchitecture[];
  readonly syscalls: readonly SeccompRule[];
}

export interface SeccompArchitecture {
  readonly architecture: string;
  readonly subArchitectures: readonly string[];
}

export interface SeccompRule extends OciSyscall {
  /** The rule counts only where all of these hold. */
  readonly includes?: SeccompCondition;
  /** The rule counts only where none of these holds. */
  readonly excludes?: SeccompCondition;
}

export interface SeccompCondition {
  /** `includes`: all of them are in the bounding set; `excludes`: any of them is. */
  readonly caps?: readonly string[];
  /** Names as in HostFacts.architecture. */
  readonly arches?: readonly string[];
  /** `4.8`: this kernel or a newer one. */
  readonly minKernel?: string;
}

export interface SeccompTarget {
  readonly architecture: string;
  readonly kernel: KernelVersion;
  /** The container's bounding set. */
  readonly capabilities: readonly string[];
}

const nativeArchitectures: Readonly<Record<string, string>> = {
  amd64: 'SCMP_ARCH_X86_64',
  386: 'SCMP_ARCH_X86',
  arm64: 'SCMP_ARCH_AARCH64',
  arm: 'SCMP_ARCH_ARM',
  ppc64le: 'SCMP_ARCH_PPC64LE',
  s390x: 'SCMP_ARCH_S390X',
  riscv64: 'SCMP_ARCH_RISCV64',
  loong64: 'SCMP_ARCH_LOONGARCH64',
};

/** The OCI seccomp filter of a profile on this machine and for a container of these capabilities. */
export function compileSeccomp(profile: SeccompProfile, target: SeccompTarget): OciSeccomp {
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: profile.architectures === undefined ? mapped(profile.archMap ?? [], target.architecture) : [...profile.architectures],
    ...(profile.flags === undefined ? {} : { flags: [...profile.flags] }),
    ...(profile.listenerPath === undefined ? {} : { listenerPath: profile.listenerPath }),
    ...(profile.listenerMetadata === undefined ? {} : { listenerMetadata: profile.listenerMetadata }),
    syscalls: profile.syscalls.filter((rule) => counts(rule, target)).map(ociSyscall),
  };
}

/** What a container may run on: the facts of its host and its own bounding set. */
export function seccompTarget(facts: HostFacts, capabilities: readonly string[]): SeccompTarget {
  return { architecture: facts.architecture, kernel: facts.kernel, capabilities };
}

function mapped(archMap: readonly SeccompArchitecture[], architecture: string): string[] {
  const native = nativeArchitectures[architecture];
  const entry = archMap.find((candidate) => candidate.architecture === native);
  return entry === undefined ? [] : [entry.architecture, ...entry.subArchitectures];
}

function counts({ includes = {}, excludes = {} }: SeccompRule, target: SeccompTarget): boolean {
  const { capabilities, architecture, kernel } = target;
  const included =
    (includes.caps ?? []).every((name) => capabilities.includes(name)) &&
    (includes.arches === undefined || includes.arches.length === 0 || includes.arches.includes(architecture)) &&
    (includes.minKernel === undefined || isAtLeast(kernel, parseKernelVersion(includes.minKernel)));
  const excluded =
    (excludes.caps ?? []).some((name) => capabilities.includes(name)) ||
    (excludes.arches ?? []).includes(architecture) ||
    (excludes.minKernel !== undefined && isAtLeast(kernel, parseKernelVersion(excludes.minKernel)));
  return included && !excluded;
}

function ociSyscall({ names, action, errnoRet, args }: SeccompRule): OciSyscall {
  return {
    names: [...names],
    action,
    ...(errnoRet === undefined ? {} : { errnoRet }),
    ...(args === undefined || args.length === 0 ? {} : { args: args.map((argument) => ({ ...argument })) }),
  };
}

/**
 * Reads a profile file of the node (Localhost). Unknown properties are passed over; what is known and wrong is failed-precondition naming where,
 * because a filter that is not the one somebody wrote must not be used. A flag that the runtime does not know is refused by the runtime.
 */
export function parseSeccompProfile(text: string, path: string): SeccompProfile {
  try {
    return profileOf(parseJsonExactly(text)); // arguments are 64 bits wide: masks, ~0
  } catch (error) {
    if (error instanceof GantryError) throw error;
    throw failure('failed-precondition', { act: 'read seccomp profile', object: path, cause: error });
  }
}

// A listener is asked about single calls: as the default action it would be asked about those that the runtime itself makes to reach it.
const defaultAction = /^SCMP_ACT_(KILL|KILL_PROCESS|KILL_THREAD|TRAP|ERRNO|TRACE|ALLOW|LOG)$/;
const action = /^SCMP_ACT_(KILL|KILL_PROCESS|KILL_THREAD|TRAP|ERRNO|TRACE|ALLOW|LOG|NOTIFY)$/;
const operator = /^SCMP_CMP_(NE|LT|LE|EQ|GE|GT|MASKED_EQ)$/;
const architectureName = /^SCMP_ARCH_[A-Z0-9_]+$/;
// runtime-spec, config-linux.md "Seccomp".
const flagName = /^SECCOMP_FILTER_FLAG_(TSYNC|LOG|SPEC_ALLOW|WAIT_KILLABLE_RECV)$/;
const socketPath = /^\/[^\0]{1,106}$/;
const syscallName = /^[a-zA-Z0-9_]+$/;
const anyText = /^/;

function profileOf(value: unknown): SeccompProfile {
  const profile = recordAt('profile', value);
  const syscalls = listAt('syscalls', profile['syscalls'] ?? []).map(ruleOf);
  const asking = syscalls.findIndex((rule) => rule.action === 'SCMP_ACT_NOTIFY');
  if (asking >= 0 && typeof profile['listenerPath'] !== 'string') throw new Error(`syscalls[${asking}].action is SCMP_ACT_NOTIFY, which needs listenerPath`);
  return {
    defaultAction: textAt('defaultAction', profile['defaultAction'], defaultAction),
    ...optional('defaultErrnoRet', profile, errnoAt),
    ...optional('flags', profile, (where, flags) => textsAt(where, flags, flagName)),
    ...optional('architectures', profile, (where, names) => textsAt(where, names, architectureName)),
    ...optional('archMap', profile, (where, entries) => listAt(where, entries).map(archMapEntryOf)),
    ...optional('listenerPath', profile, (where, path) => textAt(where, path, socketPath)),
    ...optional('listenerMetadata', profile, (where, text) => textAt(where, text, anyText)),
    syscalls,
  };
}

function archMapEntryOf(value: unknown, index: number): SeccompArchitecture {
  const where = `archMap[${index}]`;
  const entry = recordAt(where, value);
  return {
    architecture: textAt(`${where}.architecture`, entry['architecture'], architectureName),
    subArchitectures: textsAt(`${where}.subArchitectures`, entry['subArchitectures'] ?? [], architectureName),
  };
}

function ruleOf(value: unknown, index: number): SeccompRule {
  const where = `syscalls[${index}]`;
  const rule = recordAt(where, value);
  // Docker's oldest profiles have one name a rule.
  const names = rule['name'] === undefined || rule['name'] === '' ? rule['names'] : [rule['name']];
  return {
    names: textsAt(`${where}.names`, names, syscallName),
    action: textAt(`${where}.action`, rule['action'], action),
    ...optional('errnoRet', rule, errnoAt),
    ...optional('args', rule, (_, args) => listAt(`${where}.args`, args).map((argument, at) => argumentOf(argument, `${where}.args[${at}]`))),
    ...optional('includes', rule, (_, condition) => conditionOf(`${where}.includes`, condition)),
    ...optional('excludes', rule, (_, condition) => conditionOf(`${where}.excludes`, condition)),
  };
}

function argumentOf(value: unknown, where: string): OciSyscallArg {
  const argument = recordAt(where, value);
  return {
    index: integerAt(`${where}.index`, argument['index'], 5),
    value: valueAt(`${where}.value`, argument['value']),
    ...optional('valueTwo', argument, valueAt),
    op: textAt(`${where}.op`, argument['op'], operator),
  };
}

function conditionOf(where: string, value: unknown): SeccompCondition {
  const condition = recordAt(where, value);
  return {
    ...optional('caps', condition, (_, names) => textsAt(`${where}.caps`, names, anyText)),
    ...optional('arches', condition, (_, names) => textsAt(`${where}.arches`, names, anyText)),
    ...optional('minKernel', condition, (_, version) => textAt(`${where}.minKernel`, version, /^\d+\.\d+/)),
  };
}

// A property that is absent or null stays absent.
function optional<K extends string, T>(key: K, from: Readonly<Record<string, unknown>>, read: (where: string, value: unknown) => T): { readonly [key in K]?: T } {
  const value = from[key];
  return value === undefined || value === null ? {} : ({ [key]: read(key, value) } as { [key in K]: T });
}

function recordAt(where: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${where} is not an object`);
  return value as Record<string, unknown>;
}

function listAt(where: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${where} is not a list`);
  return value;
}

function textAt(where: string, value: unknown, form: RegExp): string {
  if (typeof value !== 'string' || !form.test(value)) throw new Error(`${where} is not valid: ${JSON.stringify(value)?.slice(0, 100)}`);
  return value;
}

function textsAt(where: string, value: unknown, form: RegExp): string[] {
  return listAt(where, value).map((text, index) => textAt(`${where}[${index}]`, text, form));
}

function integerAt(where: string, value: unknown, most: number): number {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > most) throw new Error(`${where} is not a number from 0 to ${most}`);
  return value as number;
}

function errnoAt(where: string, value: unknown): number {
  return integerAt(where, value, 4095);
}

function valueAt(where: string, value: unknown): bigint {
  const whole = Number.isSafeInteger(value) ? BigInt(value as number) : value;
  if (typeof whole !== 'bigint' || whole < 0n || whole > 0xffff_ffff_ffff_ffffn) throw new Error(`${where} is not a number of 64 bits`);
  return whole;
}
