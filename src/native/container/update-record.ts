import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';

/** Changes some facts of a record; one that was removed meanwhile stays removed. */
export function updateRecord(deps: Pick<ContainerDeps, 'records'>, id: string, facts: Partial<ContainerRecord>): ContainerRecord | undefined {
  const current = deps.records.get(id);
  if (current === undefined) return undefined;
  const next = { ...current, ...facts };
  deps.records.put(id, next);
  return next;
}
