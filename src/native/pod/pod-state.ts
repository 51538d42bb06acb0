import { processAlive } from '../../part/oci/process-ref.ts';
import type { PodRecord } from './pod-record.ts';

/**
 * READY means that containers can be made in it: nobody stopped it, this is still the boot it was made in, and the process
 * that holds its PID namespace, if it needs one, is alive.
 */
export function isReady(record: PodRecord, bootId: string): boolean {
  if (record.stopped || record.bootId !== bootId) return false;
  return record.infra === undefined || processAlive(record.infra);
}
