import type { Container, ContainerFilter } from '../../gen/cri.ts';
import { matchesLabels } from '../../base/label-selector.ts';
import type { Table } from '../../part/store/store.ts';
import type { ContainerRecord } from './container-record.ts';
import { containerState } from './container-state.ts';

/** All containers that match every given field of the filter; ids match by prefix, as crictl sends them. From memory. */
export function listContainers(records: Table<ContainerRecord>, filter: ContainerFilter | undefined): Container[] {
  const result: Container[] = [];
  for (const record of records.all()) {
    if (filter?.id && !record.id.startsWith(filter.id)) continue;
    if (filter?.podSandboxId && !record.podId.startsWith(filter.podSandboxId)) continue;
    if (filter?.state !== undefined && containerState(record) !== filter.state.state) continue;
    if (!matchesLabels(record.config.labels, filter?.labelSelector)) continue;
    result.push(toContainer(record));
  }
  return result;
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
    imageRef: record.imageId,
    state: containerState(record),
    createdAt: record.createdAt,
    labels: record.config.labels,
    annotations: record.config.annotations,
    imageId: record.imageId,
  };
  items.set(record, item);
  return item;
}
