import type { LinuxContainerResources } from '../../gen/cri.ts';
import { badField } from './check-field.ts';

/** Refuses a memory limit in which the handler's runtime could not even start, at creation and at an update. `field` is where the limits stand. */
export function checkMinMemory(asked: LinuxContainerResources | undefined, minMemory: number, field: string): void {
  const limit = asked?.memoryLimitInBytes ?? 0n;
  if (limit > 0n && limit < BigInt(minMemory)) throw badField(`${field}.memory_limit_in_bytes`, `${limit} is less than the ${minMemory} bytes that the runtime handler needs (min_memory of its configuration)`);
}
