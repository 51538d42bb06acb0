import type { VerboseInfo } from '../../engine/engine.ts';
import type { PodDeps } from './pod-deps.ts';
import { pinnedNamespaces } from './pod-namespaces.ts';
import type { PodRecord } from './pod-record.ts';

/**
 * The `info` map of a verbose status, under the key names that tools know from containerd. The pid of an ended process is not
 * told: it may be another's by now.
 */
export function podInfo(deps: Pick<PodDeps, 'roots' | 'isReady'>, record: PodRecord): VerboseInfo {
  const infra = deps.isReady(record) ? record.infra : undefined;
  return {
    info: toJson({
      pid: infra?.pid ?? 0,
      processStatus: statusOf(record, infra),
      runtimeHandler: record.handler,
      runtimeType: 'oci',
      namespaces: pinnedNamespaces(deps.roots.state, record.id),
      cgroupParent: record.cgroupParent,
      config: record.config,
    }),
  };
}

function statusOf(record: PodRecord, alive: PodRecord['infra']): 'none' | 'running' | 'exited' {
  if (record.infra === undefined) return 'none';
  return alive === undefined ? 'exited' : 'running';
}

/** The kubelet sends 64-bit numbers (resources, overhead), which JSON.stringify refuses; all of them fit a double. */
function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => (typeof member === 'bigint' ? Number(member) : member));
}
