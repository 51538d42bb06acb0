import { ContainerState } from '../../gen/cri.ts';
import type { ContainerRecord } from './container-record.ts';

/**
 * The state of a container, from the facts of its record.
 *
 *     (create) → CREATED → (start) → RUNNING → (its process ends) → EXITED
 *                   └──────── (its process is killed) ──────────────↗
 *
 * There is no way back. A container whose exit nobody could collect is EXITED with reason `Unknown`, not UNKNOWN: the
 * kubelet restarts the one and waits for ever on the other.
 */
export function containerState(record: Pick<ContainerRecord, 'exit' | 'startedAt'>): ContainerState {
  if (record.exit !== undefined) return ContainerState.CONTAINER_EXITED;
  return record.startedAt === undefined ? ContainerState.CONTAINER_CREATED : ContainerState.CONTAINER_RUNNING;
}

/** The state as a word for messages and logs. */
export function stateWord(record: Pick<ContainerRecord, 'exit' | 'startedAt'>): 'created' | 'running' | 'exited' {
  if (record.exit !== undefined) return 'exited';
  return record.startedAt === undefined ? 'created' : 'running';
}
