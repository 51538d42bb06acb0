import type { SpecStep } from './build-container-spec.ts';
import { badField, resourcesField } from './check-field.ts';
import type { ContainerDefaults } from './container-defaults.ts';
import type { HostFacts } from './host-facts.ts';

/** Always set: a container without a wish must not inherit the daemon's own protection from the OOM killer. */
export const withOomScore: SpecStep = (spec, { config, facts, defaults }) => {
  const wanted = config.linux?.resources?.oomScoreAdj ?? 0n;
  if (wanted < -1000n || wanted > 1000n) throw badField(`${resourcesField}.oom_score_adj`, `${wanted} is not from -1000 to 1000`);
  return { ...spec, process: { ...spec.process, oomScoreAdj: possibleOomScore(Number(wanted), facts, defaults) } };
};

/**
 * Without CAP_SYS_RESOURCE a process can make only itself more likely to be killed; asking for less makes a runtime fail. Where the capability is there
 * and of no use (a daemon in a user namespace), the configuration says so.
 */
export function possibleOomScore(wanted: number, facts: HostFacts, { restrictOomScore }: Pick<ContainerDefaults, 'restrictOomScore'>): number {
  return facts.hasSysResource && !restrictOomScore ? wanted : Math.max(wanted, facts.oomScoreAdj);
}
