/**
 * Messages of the CRI and of our own API as the protobuf JSON mapping has them: camelCase names, 64-bit integers as decimal strings, enums by
 * name, bytes in base64. Unlike the mapping's default, zero values are printed too, so that a script finds every field.
 */
import { AdoptionOutcome, LayerPhase, MeasuredBy } from '../../gen/admin.ts';
import {
  ContainerState, MountPropagation, NamespaceMode, PodSandboxState, SecurityProfile_ProfileType, Signal, SupplementalGroupsPolicy,
} from '../../gen/cri.ts';

type Names = Readonly<Record<string, number>>;
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** Enum fields by name; `state` alone means two different enums. */
const enums: Readonly<Record<string, Names>> = {
  propagation: MountPropagation,
  network: NamespaceMode,
  pid: NamespaceMode,
  ipc: NamespaceMode,
  stopSignal: Signal,
  supplementalGroupsPolicy: SupplementalGroupsPolicy,
  profileType: SecurityProfile_ProfileType,
  phase: LayerPhase,
  measuredBy: MeasuredBy,
  outcome: AdoptionOutcome,
};

/** A pod message (PodSandbox, PodSandboxStatus). */
export function podJson(message: object): Json {
  return convert(message, { ...enums, state: PodSandboxState });
}

/** Any other message; `state` is a container's. */
export function messageJson(message: object): Json {
  return convert(message, { ...enums, state: ContainerState });
}

/** `info` maps of verbose statuses: a value that is itself JSON becomes part of the document. */
export function infoJson(info: Readonly<Record<string, string>>): Json {
  return Object.fromEntries(Object.entries(info).map(([key, value]) => [key, parsed(value)]));
}

function convert(value: unknown, names: Readonly<Record<string, Names>>): Json {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map((item) => convert(item, names));
  if (typeof value === 'object' && value !== null) {
    const result: { [key: string]: Json } = {};
    for (const [key, field] of Object.entries(value)) {
      if (field === undefined) continue;
      const known = typeof field === 'number' ? names[key] : undefined;
      result[key] = (known && nameOf(known, field)) ?? convert(field, names);
    }
    return result;
  }
  return value as string | number | boolean;
}

function nameOf(names: Names, value: number): string | undefined {
  return Object.keys(names).find((name) => names[name] === value);
}

function parsed(text: string): Json {
  try {
    const value = JSON.parse(text) as Json;
    return typeof value === 'object' && value !== null ? value : text;
  } catch {
    return text;
  }
}
