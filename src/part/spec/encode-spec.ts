import type { OciResources, OciSpec } from './oci-spec.ts';

// In the language since ES2026, in Node since 22; TypeScript's library does not know it yet.
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** The text of config.json, or of the part of it that a change of limits takes. Numbers above 2^53 (rlimits, seccomp arguments) keep every digit. */
export function encodeSpec(spec: OciSpec | Partial<OciResources>): string {
  return JSON.stringify(spec, (_key, value: unknown) => (typeof value === 'bigint' ? rawJSON(value.toString()) : value));
}
