import type { LinuxContainerResources } from '../../gen/cri.ts';
import { badField, resourcesField } from './check-field.ts';
import type { HandlerDefaults } from './container-defaults.ts';

/** Refuses a memory limit in which the handler's runtime could not even start, at creation and at an update. */
export function checkMinMemory(asked: LinuxContainerResources | undefined, { minMemory }: Pick<HandlerDefaults, 'minMemory'>): void {
  const limit = asked?.memoryLimitInBytes ?? 0n;
  if (limit > 0n && limit < BigInt(minMemory)) throw badField(`${resourcesField}.memory_limit_in_bytes`, `${limit} is less than the ${minMemory} bytes that the runtime handler needs (min_memory of its configuration)`);
}
