import { matchesLabels } from '../../base/label-selector.ts';
import type { PodResourceChange, VerboseInfo } from '../../engine/engine.ts';
import { PodSandboxState } from '../../gen/cri.ts';
import type { PodSandbox, PodSandboxFilter, PodSandboxStatus } from '../../gen/cri.ts';
import { namespaceOptions } from '../../part/spec/pod-config.ts';
import type { PodRecord } from '../records.ts';

function stateOf({ ready }: PodRecord): PodSandboxState {
  return ready ? PodSandboxState.SANDBOX_READY : PodSandboxState.SANDBOX_NOTREADY;
}

/** All pods that match every given field of the filter; the id matches by prefix, as crictl sends it. From memory. */
export function listPods(pods: readonly PodRecord[], filter: PodSandboxFilter | undefined): PodSandbox[] {
  return pods
    .filter((pod) => pod.id.startsWith(filter?.id ?? '') && matchesLabels(pod.config.labels, filter?.labelSelector))
    .filter((pod) => filter?.state === undefined || filter.state.state === stateOf(pod))
    .map(toPodSandbox);
}

// A record is replaced, never changed, so the item made of it stays true as long as the record is there.
const items = new WeakMap<PodRecord, PodSandbox>();

function toPodSandbox(pod: PodRecord): PodSandbox {
  const known = items.get(pod);
  if (known !== undefined) return known;
  const { metadata, labels, annotations } = pod.config;
  const item: PodSandbox = { id: pod.id, metadata, state: stateOf(pod), createdAt: pod.createdAt, labels, annotations, runtimeHandler: pod.handler };
  items.set(pod, item);
  return item;
}

/** A pod's status. One that is not ready reports no address. */
export function podStatus(pod: PodRecord, [ip = '', ...additional]: readonly string[]): PodSandboxStatus {
  const { metadata, labels, annotations } = pod.config;
  return {
    id: pod.id,
    metadata,
    state: stateOf(pod),
    createdAt: pod.createdAt,
    network: { ip, additionalIps: additional.map((address) => ({ ip: address })) },
    linux: { namespaces: { options: { targetId: '', usernsOptions: undefined, ...namespaceOptions(pod.config) } } },
    labels,
    annotations,
    runtimeHandler: pod.handler,
  };
}

/** The `info` map of a verbose status, under key names that tools know from containerd. */
export function podInfo({ engine, config, handler }: PodRecord, resized: PodResourceChange | undefined): VerboseInfo {
  return {
    info: JSON.stringify({
      pid: engine.State.Pid,
      processStatus: engine.State.Status,
      runtimeType: 'docker',
      runtimeHandler: handler || (engine.HostConfig.Runtime ?? ''),
      name: engine.Name.slice(1),
      cgroupParent: engine.HostConfig.CgroupParent,
      resources: resized?.resources ?? config.linux?.resources ?? null,
      overhead: resized?.overhead ?? config.linux?.overhead ?? null,
    }, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)),
  };
}
