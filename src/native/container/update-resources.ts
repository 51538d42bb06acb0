import { failure } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { ContainerResources, LinuxContainerResources } from '../../gen/cri.ts';
import { checkMinMemory } from '../../part/spec/check-min-memory.ts';
import { ociResources } from '../../part/spec/with-resources.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';
import { handlerDefaults } from './node-defaults.ts';
import { stateWord } from './container-state.ts';
import { updateRecord } from './start-container.ts';

/**
 * Changes the limits that the request names (zero and empty mean "as it is") and puts them on record, so that the status
 * echoes them. Only a created or running container has limits to change: else failed-precondition.
 */
export async function updateContainerResources(deps: ContainerDeps, record: ContainerRecord, resources: ContainerResources, ctx: CallContext): Promise<void> {
  const asked = resources.linux;
  if (asked === undefined) return;
  const state = stateWord(record);
  if (state === 'exited') throw failure('failed-precondition', { act: 'update resources of container', object: record.id, why: 'it has exited' });
  checkMinMemory(asked, handlerDefaults(deps.defaults(), record.handler));
  const limits = ociResources(asked, deps.hostFacts);
  await ctx.stages.run('runtime update', () => deps.handlers.get(record.handler).update(record.id, withAllDigits(limits) as object));
  const config = deps.records.get(record.id)?.config ?? record.config;
  updateRecord(deps, record.id, {
    config: { ...config, linux: { securityContext: config.linux?.securityContext, resources: merged(config.linux?.resources, asked) } },
  });
}

function merged(before: LinuxContainerResources | undefined, asked: LinuxContainerResources): LinuxContainerResources {
  if (before === undefined) return asked;
  const said = Object.entries(asked).filter(([, value]) => !isUnsaid(value));
  return { ...before, ...Object.fromEntries(said) };
}

function isUnsaid(value: unknown): boolean {
  return value === 0n || value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}

// In the language since ES2026, in Node since 22; TypeScript's library does not know it yet.
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** The same for JSON, where 64-bit numbers keep every digit. */
function withAllDigits(value: unknown): unknown {
  if (typeof value === 'bigint') return rawJSON(value.toString());
  if (Array.isArray(value)) return value.map(withAllDigits);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withAllDigits(member)]));
}
