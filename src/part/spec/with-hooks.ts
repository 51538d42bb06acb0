import type { StagedHook } from '../../base/container-edits.ts';
import type { OciHook, OciHooks, OciSpec } from './oci-spec.ts';

/** Adds OCI hooks, each after those that its stage has already. */
export function withHooks(spec: OciSpec, hooks: readonly StagedHook[]): OciSpec {
  if (hooks.length === 0) return spec;
  const stages: Partial<Record<StagedHook['stage'], readonly OciHook[]>> = { ...spec.hooks };
  for (const { stage, path, args, env, timeout } of hooks) {
    const hook = { path, ...(args.length === 0 ? {} : { args: [...args] }), ...(env.length === 0 ? {} : { env: [...env] }), ...(timeout === undefined ? {} : { timeout }) };
    stages[stage] = [...(stages[stage] ?? []), hook];
  }
  return { ...spec, hooks: stages as OciHooks };
}
