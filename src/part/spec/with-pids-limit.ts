import type { SpecStep } from './build-container-spec.ts';

/** The node's default: the CRI can name a limit only as the key `pids.max` of cgroup v2, and then that one counts. */
export const withPidsLimit: SpecStep = (spec, { config, defaults: { pidsLimit } }) => {
  if (pidsLimit === 0 || config.linux?.resources?.unified['pids.max'] !== undefined) return spec;
  return { ...spec, linux: { ...spec.linux, resources: { ...spec.linux.resources, pids: { limit: pidsLimit } } } };
};
