import { failure } from '../../base/errors.ts';
import { reopenLog } from '../../part/oci/reopen-log.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerRecord } from './container-record.ts';
import { stateWord } from './container-state.ts';

/** Has conmon go on in a new file at the log path. A container that does not run, or has no log: failed-precondition. */
export async function reopenContainerLog(deps: ContainerDeps, record: ContainerRecord): Promise<void> {
  const state = stateWord(record);
  if (state !== 'running') throw failure('failed-precondition', { act: 'reopen log of container', object: record.id, why: `it is ${state}, not running` });
  if (record.logPath === '') throw failure('failed-precondition', { act: 'reopen log of container', object: record.id, why: 'it was created without a log path' });
  const request = { id: record.id, bundle: containerPaths(deps.roots, record.id).bundle, logPath: record.logPath, conmon: record.monitor };
  await deps.locks.run(`log of ${record.id}`, () => reopenLog(request));
}
