import type { SpecStep } from './build-container-spec.ts';
import { resourcesField } from './check-field.ts';
import { checkOomScore } from './check-resources.ts';
import type { ContainerDefaults } from './container-defaults.ts';
import type { HostFacts } from './host-facts.ts';

/** Always set: a container without a wish must not inherit the daemon's own protection from the OOM killer. */
export const withOomScore: SpecStep = (spec, { config, facts, defaults }) => {
  const wanted = config.linux?.resources?.oomScoreAdj ?? 0n;
  checkOomScore(wanted, resourcesField);
  return { ...spec, process: { ...spec.process, oomScoreAdj: possibleOomScore(Number(wanted), facts, defaults) } };
};

/**
 * Without CAP_SYS_RESOURCE a process can make only itself more likely to be killed; asking for less makes a runtime fail. Where the capability is there
 * and of no use (a daemon in a user namespace), the configuration says so.
 */
export function possibleOomScore(wanted: number, facts: HostFacts, { restrictOomScore }: Pick<ContainerDefaults, 'restrictOomScore'>): number {
  return facts.hasSysResource && !restrictOomScore ? wanted : Math.max(wanted, facts.oomScoreAdj);
}
