/** What the engine knows of a container or pod beyond the CRI's messages: the `info` of verbose statuses, whose form is the engine's own. */
import type { VerboseInfo } from '../../engine/engine.ts';

/** Each with an empty value where the engine does not tell. */
export interface RuntimeFacts {
  readonly pid: number;
  readonly command: readonly string[];
  /** `NAME=` each: values are not told, as they often are secrets. */
  readonly environment: readonly string[];
  readonly directory: string;
  readonly hostname: string;
  readonly terminal: boolean;
  readonly privileged: boolean;
  readonly root: string;
  readonly readonlyRoot: boolean;
  readonly cgroup: string;
  readonly handler: string;
  readonly apparmor: string;
  readonly selinuxLabel: string;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
}

export function runtimeFacts(info: VerboseInfo): RuntimeFacts {
  const facts = parsed(info['info']);
  return {
    pid: numberAt(facts, 'pid'),
    command: textsAt(facts, 'runtimeSpec', 'process', 'args'),
    environment: textsAt(facts, 'runtimeSpec', 'process', 'env').map((entry) => `${entry.split('=', 1)[0]}=`),
    directory: textAt(facts, 'runtimeSpec', 'process', 'cwd'),
    hostname: textAt(facts, 'runtimeSpec', 'hostname') || textAt(facts, 'config', 'hostname'),
    terminal: memberAt(facts, 'runtimeSpec', 'process', 'terminal') === true,
    privileged: memberAt(facts, 'privileged') === true,
    root: textAt(facts, 'runtimeSpec', 'root', 'path'),
    readonlyRoot: memberAt(facts, 'runtimeSpec', 'root', 'readonly') === true,
    cgroup: textAt(facts, 'cgroup') || textAt(facts, 'cgroupParent'),
    handler: textAt(facts, 'runtimeHandler'),
    apparmor: textAt(facts, 'runtimeSpec', 'process', 'apparmorProfile'),
    selinuxLabel: textAt(facts, 'runtimeSpec', 'process', 'selinuxLabel'),
    maskedPaths: textsAt(facts, 'runtimeSpec', 'linux', 'maskedPaths'),
    readonlyPaths: textsAt(facts, 'runtimeSpec', 'linux', 'readonlyPaths'),
  };
}

/** The document in a member of an `info` map; undefined when there is none. */
export function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Undefined as soon as a step leads nowhere. */
export function memberAt(document: unknown, ...path: readonly string[]): unknown {
  let value = document;
  for (const name of path) value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  return value;
}

export function textAt(document: unknown, ...path: readonly string[]): string {
  const value = memberAt(document, ...path);
  return typeof value === 'string' ? value : '';
}

export function textsAt(document: unknown, ...path: readonly string[]): string[] {
  const value = memberAt(document, ...path);
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function numberAt(document: unknown, ...path: readonly string[]): number {
  const value = memberAt(document, ...path);
  return typeof value === 'number' ? value : 0;
}
