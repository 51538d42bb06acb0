import { findByIdPrefix, getByIdPrefix } from '../../base/object-id.ts';
import type { ContainerEngine } from '../../engine/engine.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerInfo, containerStatus } from './container-status.ts';
import { containerStats, listContainerStats } from './container-stats.ts';
import { createContainer } from './create-container.ts';
import { execSyncInContainer } from './exec-sync.ts';
import { listContainers } from './list-containers.ts';
import { readSpec } from './read-spec.ts';
import { removeContainer } from './remove-container.ts';
import { reopenContainerLog } from './reopen-log.ts';
import { startContainer } from './start-container.ts';
import { stopContainer } from './stop-container.ts';
import { updateContainerResources } from './update-resources.ts';
import type { ContainerRecord } from './container-record.ts';

/** The engine contract for containers, each method one recipe. */
export function createContainerEngine(deps: ContainerDeps): ContainerEngine {
  const find = (id: string): ContainerRecord | undefined => findByIdPrefix(deps.records, id, 'container');
  const get = (id: string): ContainerRecord => getByIdPrefix(deps.records, id, 'container');
  return {
    create: (request, ctx) => createContainer(deps, request, ctx),
    start: async (id, ctx) => {
      const record = get(id);
      await deps.starting.run(record.id, () => startContainer(deps, record.id, ctx));
    },
    stop: async (id, timeoutSeconds, ctx) => {
      const record = find(id);
      if (record !== undefined) await stopContainer(deps, record, timeoutSeconds, ctx);
    },
    remove: async (id, ctx) => {
      const record = find(id);
      if (record !== undefined) await deps.removing.run(record.id, () => removeContainer(deps, record.id, ctx));
    },
    status: async (id, verbose) => {
      const record = get(id);
      return { status: containerStatus(record), info: verbose ? containerInfo(record, readSpec(deps, record)) : {} };
    },
    list: async (filter) => listContainers(deps.records, filter),
    updateResources: async (id, change, ctx) => updateContainerResources(deps, get(id).id, change, ctx),
    reopenLog: async (id) => reopenContainerLog(deps, get(id)),
    execSync: async (id, command, timeoutSeconds, ctx) => execSyncInContainer(deps, get(id), { command, timeoutSeconds }, ctx),
    stats: async (id) => containerStats(deps, get(id)),
    listStats: async (filter) => listContainerStats(deps, filter),
  };
}
