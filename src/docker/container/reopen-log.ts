import { failure } from '../../base/errors.ts';
import { ContainerState } from '../../gen/cri.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { stateWord } from '../records.ts';
import type { ContainerRecord } from '../records.ts';

/** Goes on in a new file at the log path. A container that does not run, or has no log: failed-precondition. */
export async function reopenContainerLog(deps: DockerDeps, record: ContainerRecord): Promise<void> {
  const act = { act: 'reopen log of container', object: record.id };
  if (record.state !== ContainerState.CONTAINER_RUNNING) throw failure('failed-precondition', { ...act, why: `it is ${stateWord(record)}, not running` });
  if (record.logPath === '') throw failure('failed-precondition', { ...act, why: 'it was created without a log path' });
  await deps.logs.reopen(record.id);
}
