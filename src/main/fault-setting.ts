/** The guarded setting that makes the daemon break on purpose. */
import { faultsVariable } from '../base/config/environment-layer.ts';
import type { Environment } from '../base/config/environment-layer.ts';
import type { Config } from '../base/config/schema.ts';
import { failure } from '../base/errors.ts';
import { parseFaults } from '../base/fault-plan.ts';
import { armFaults } from '../base/faults.ts';
import type { Logger } from '../base/log.ts';

/** Without `debug.faults` in the configuration the variable is refused: failed-precondition. A plan that cannot be read: invalid-argument. */
export function armFromEnvironment({ debug }: Pick<Config, 'debug'>, environment: Environment, log: Logger): void {
  const plan = environment[faultsVariable] ?? '';
  if (plan === '') return;
  if (!debug.faults) {
    throw failure('failed-precondition', { act: 'start', why: `${faultsVariable} asks this daemon to break on purpose, and the configuration does not allow that: unset the variable (or, on a node that may lose everything, set debug.faults to true)` });
  }
  armFaults(parseFaults(plan), (act, point) => log.warn('fault injected', { act, point }));
  log.warn('THIS DAEMON BREAKS ON PURPOSE: it must not serve a node that matters', { faults: plan });
}
