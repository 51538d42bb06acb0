import { matchesLabels } from '../../base/label-selector.ts';
import { PodSandboxState } from '../../gen/cri.ts';
import type { PodSandbox, PodSandboxFilter, PodSandboxStatus } from '../../gen/cri.ts';
import type { PodRecord } from './pod-record.ts';
import { namespaceOptions } from '../../part/spec/pod-config.ts';

/** All pods that match every given field of the filter; the id matches by prefix, as crictl sends it. From memory. */
export function listPods(records: readonly PodRecord[], filter: PodSandboxFilter | undefined, isReady: (record: PodRecord) => boolean): PodSandbox[] {
  const result: PodSandbox[] = [];
  for (const record of records) {
    if (filter?.id && !record.id.startsWith(filter.id)) continue;
    if (!matchesLabels(record.config.labels, filter?.labelSelector)) continue;
    const state = stateOf(record, isReady);
    if (filter?.state !== undefined && filter.state.state !== state) continue;
    result.push(toPodSandbox(record, state));
  }
  return result;
}

// A record is replaced, never changed; only the state can change without it, when an infra process dies.
const items = new WeakMap<PodRecord, PodSandbox>();

function toPodSandbox(record: PodRecord, state: PodSandboxState): PodSandbox {
  const known = items.get(record);
  if (known?.state === state) return known;
  const item: PodSandbox = {
    id: record.id,
    metadata: record.config.metadata,
    state,
    createdAt: record.createdAt,
    labels: record.config.labels,
    annotations: record.config.annotations,
    runtimeHandler: record.runtimeHandler,
  };
  items.set(record, item);
  return item;
}

/** A pod's status from its record. A stopped pod reports no address: it has given it back. */
export function podStatus(record: PodRecord, isReady: (record: PodRecord) => boolean): PodSandboxStatus {
  const state = stateOf(record, isReady);
  const [ip = '', ...additional] = state === PodSandboxState.SANDBOX_READY ? record.ips : [];
  return {
    id: record.id,
    metadata: record.config.metadata,
    state,
    createdAt: record.createdAt,
    network: { ip, additionalIps: additional.map((address) => ({ ip: address })) },
    linux: { namespaces: { options: { targetId: '', usernsOptions: undefined, ...namespaceOptions(record.config) } } },
    labels: record.config.labels,
    annotations: record.config.annotations,
    runtimeHandler: record.runtimeHandler,
  };
}

function stateOf(record: PodRecord, isReady: (record: PodRecord) => boolean): PodSandboxState {
  return isReady(record) ? PodSandboxState.SANDBOX_READY : PodSandboxState.SANDBOX_NOTREADY;
}
