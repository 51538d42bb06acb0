import type { SpecStep } from './build-container-spec.ts';
import { rlimitsWithin } from './ulimits.ts';

/** The CRI has no word for rlimits: they are the node's defaults. */
export const withRlimits: SpecStep = (spec, { facts, defaults }) => ({ ...spec, process: { ...spec.process, rlimits: rlimitsWithin(defaults.ulimits, facts.hardLimits) } });
