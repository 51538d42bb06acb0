import type { PodPlace } from '../container/pod-place.ts';
import type { Table } from '../../part/store/store.ts';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { pinnedNamespaces, hostnameOf } from './pod-namespaces.ts';
import { podPaths } from './pod-paths.ts';
import type { PodRecord } from './pod-record.ts';
import { podIdMappings, sharesPidNamespace, usesHostIpc, usesHostNetwork } from '../../part/spec/pod-config.ts';

/** The pods as the container floor sees them. */
export function podPlaces(deps: { readonly records: Table<PodRecord>; readonly stateDir: string; readonly isReady: (record: PodRecord) => boolean }): { get(id: string): PodPlace | undefined; all(): PodPlace[] } {
  const place = (record: PodRecord): PodPlace => placeOf(record, deps.stateDir, deps.isReady(record));
  return {
    get: (id) => {
      const record = deps.records.get(id);
      return record === undefined ? undefined : place(record);
    },
    all: () => deps.records.all().map(place),
  };
}

function placeOf(record: PodRecord, stateDir: string, ready: boolean): PodPlace {
  const paths = podPaths(stateDir, record.id);
  return {
    id: record.id,
    config: record.config,
    handler: record.handler,
    ready,
    namespaces: { ...pinnedNamespaces(stateDir, record.id), ...(record.infra === undefined || !sharesPidNamespace(record.config) ? {} : { pid: `/proc/${record.infra.pid}/ns/pid` }) },
    cgroupParent: record.cgroupParent,
    resolvConf: paths.resolvConf,
    hostnameFile: paths.hostname,
    hostname: usesHostNetwork(record.config) ? hostname() : hostnameOf(record),
    idMappings: podIdMappings(record.config),
    layersRoot: podIdMappings(record.config) !== undefined && existsSync(paths.layers) ? paths.layers : undefined,
    snapshotter: record.snapshotter,
    selinuxLevel: record.selinuxLevel,
    shm: usesHostIpc(record.config) ? '/dev/shm' : paths.shm,
  };
}
