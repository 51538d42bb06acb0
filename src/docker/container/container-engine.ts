import { getByIdPrefix } from '../../base/object-id.ts';
import type { ContainerEngine } from '../../engine/engine.ts';
import type { DockerDeps } from '../docker-deps.ts';
import type { ContainerRecord } from '../records.ts';
import { execSyncInContainer } from './exec-sync.ts';
import { containerInfo, containerStatus, listContainers } from './container-status.ts';
import { containerStats, listContainerStats } from './container-stats.ts';
import { createContainer } from './create-container.ts';
import { removeContainer } from './remove-container.ts';
import { reopenContainerLog } from './reopen-log.ts';
import { startContainer } from './start-container.ts';
import { stopContainer } from './stop-container.ts';
import { updateContainerResources } from './update-resources.ts';

/** The engine contract for containers, each method one recipe. */
export function createContainerEngine(deps: DockerDeps): ContainerEngine {
  const get = (id: string): ContainerRecord => getByIdPrefix(deps.mirror.containers, id, 'container');
  return {
    create: (request, ctx) => createContainer(deps, request, ctx),
    start: (id, ctx) => startContainer(deps, id, ctx),
    stop: (id, timeoutSeconds, ctx) => stopContainer(deps, id, timeoutSeconds, ctx),
    remove: (id) => removeContainer(deps, id),
    status: async (id, verbose) => {
      const record = get(id);
      return { status: containerStatus(record), info: verbose ? containerInfo(record) : {} };
    },
    list: async (filter) => listContainers(deps.mirror.containers.all(), filter),
    updateResources: (id, change, ctx) => updateContainerResources(deps, id, change, ctx),
    reopenLog: async (id) => reopenContainerLog(deps, get(id)),
    execSync: async (id, command, timeoutSeconds, ctx) => execSyncInContainer(deps, get(id), { command, timeoutSeconds }, ctx),
    stats: async (id) => containerStats(deps, get(id)),
    listStats: async (filter) => listContainerStats(deps, filter),
  };
}
