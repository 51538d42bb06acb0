import type { Container, ContainerFilter, ContainerStatus } from '../../gen/cri.ts';
import { Signal } from '../../gen/cri.ts';
import { matchesLabels } from '../../base/label-selector.ts';
import type { VerboseInfo } from '../../engine/engine.ts';
import { effectiveStopSignal } from '../../part/spec/effective-stop-signal.ts';
import type { ContainerRecord } from '../records.ts';
import { criResources } from './engine-resources.ts';

/** A container's status from what the Engine said of it. */
export function containerStatus(record: ContainerRecord): ContainerStatus {
  const { config, engine, exit } = record;
  return {
    id: record.id,
    metadata: config.metadata,
    state: record.state,
    createdAt: record.createdAt,
    startedAt: record.startedAt,
    finishedAt: exit?.at ?? 0n,
    exitCode: exit?.code ?? 0,
    image: config.image,
    imageRef: engine.Image,
    reason: exit?.reason ?? '',
    message: exit?.message ?? '',
    labels: config.labels,
    annotations: config.annotations,
    mounts: config.mounts,
    logPath: record.logPath,
    resources: { linux: criResources(engine.HostConfig, config.linux?.resources), windows: undefined },
    imageId: engine.Image,
    user: undefined,
    stopSignal: stopSignalOf(record),
  };
}

/** The Engine keeps what it made of the image's and the kubelet's wish; a name that nobody knows is told as SIGTERM, which it sends then. */
function stopSignalOf({ config, engine }: ContainerRecord): Signal {
  try {
    return effectiveStopSignal(config, { StopSignal: engine.Config.StopSignal ?? '' });
  } catch {
    return Signal.SIGNAL_SIGTERM;
  }
}

export function containerInfo({ podId, engine, config }: ContainerRecord): VerboseInfo {
  return {
    info: JSON.stringify({
      sandboxID: podId,
      pid: engine.State.Pid,
      runtimeType: 'docker',
      runtimeHandler: engine.HostConfig.Runtime ?? '',
      snapshotter: engine.GraphDriver?.Name ?? '',
      image: engine.Image,
      name: engine.Name.slice(1),
      annotations: config.annotations,
    }),
  };
}

/** All containers that match every given field of the filter; ids match by prefix, as crictl sends them. From memory. */
export function listContainers(records: readonly ContainerRecord[], filter: ContainerFilter | undefined): Container[] {
  return records
    .filter(({ id, podId }) => id.startsWith(filter?.id ?? '') && podId.startsWith(filter?.podSandboxId ?? ''))
    .filter(({ state }) => filter?.state === undefined || filter.state.state === state)
    .filter(({ config }) => matchesLabels(config.labels, filter?.labelSelector))
    .map(toContainer);
}

// A record is replaced, never changed, so the item made of it stays true as long as the record is there.
const items = new WeakMap<ContainerRecord, Container>();

function toContainer(record: ContainerRecord): Container {
  const known = items.get(record);
  if (known !== undefined) return known;
  const item: Container = {
    id: record.id,
    podSandboxId: record.podId,
    metadata: record.config.metadata,
    image: record.config.image,
    imageRef: record.engine.Image,
    state: record.state,
    createdAt: record.createdAt,
    labels: record.config.labels,
    annotations: record.config.annotations,
    imageId: record.engine.Image,
  };
  items.set(record, item);
  return item;
}
