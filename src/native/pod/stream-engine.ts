import { getByIdPrefix } from '../../base/object-id.ts';
import type { StreamEngine } from '../../engine/stream-engine.ts';
import { Attachments, checkAttach } from '../container/attach.ts';
import type { ContainerDeps } from '../container/container-deps.ts';
import type { ContainerRecord } from '../container/container-record.ts';
import { execInContainer } from '../container/exec.ts';
import { checkExec } from '../container/exec-sync.ts';
import type { PodDeps } from './pod-deps.ts';
import type { PodRecord } from './pod-record.ts';
import { checkPortForward, forwardPort } from './port-forward.ts';

/** The engine contract for sessions, each method one recipe. `close` ends those that are joined to containers. */
export function createStreamEngine(containers: ContainerDeps, pods: PodDeps): StreamEngine & { close(): Promise<void> } {
  const container = (id: string): ContainerRecord => getByIdPrefix(containers.records, id, 'container');
  const pod = (id: string): PodRecord => getByIdPrefix(pods.records, id, 'pod');
  const attachments = new Attachments(containers);
  return {
    admitExec: async ({ containerId, command }) => {
      const record = container(containerId);
      checkExec(record, command);
      containers.cgroups.announceMove(); // clients come at once
      return record.id;
    },
    exec: async (session, streams, ctx) => execInContainer(containers, container(session.containerId), { session, streams }, ctx),
    admitAttach: async (id) => {
      const record = container(id);
      checkAttach(record);
      return { id: record.id, tty: record.config.tty, stdin: record.config.stdin };
    },
    attach: async (id, streams, ctx) => attachments.join(container(id), streams, ctx),
    admitPortForward: async (id) => {
      const record = pod(id);
      checkPortForward(pods, record);
      return record.id;
    },
    portForward: async (id, port, ctx) => forwardPort(pods, pod(id), port, ctx),
    close: () => attachments.close(),
  };
}
