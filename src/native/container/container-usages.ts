import { MeasuredBy } from '../../gen/admin.ts';
import type { ContainerUsage } from '../../gen/admin.ts';
import type { ContainerRecord } from './container-record.ts';
import { usageOnDisk } from './writable-usage.ts';
import type { Usage } from '../../host/usage-meter.ts';
import type { UsageDeps } from './writable-usage.ts';

export interface ContainerUsagesDeps extends UsageDeps {
  readonly records: { all(): readonly ContainerRecord[] };
  /** `namespace/name` of a pod. */
  readonly podName: (podId: string) => string;
}

const measuredBy: Readonly<Record<Usage['way'], MeasuredBy>> = {
  'counted': MeasuredBy.MEASURED_BY_FILESYSTEM,
  'measured': MeasuredBy.MEASURED_BY_WALK,
  'at-least': MeasuredBy.MEASURED_BY_PART_OF_WALK,
};

/** The writable layers as they are counted or were last measured; asking has those measured anew whose figure is old. */
export function containerUsages({ records, podName, ...deps }: ContainerUsagesDeps): ContainerUsage[] {
  return records.all().map((record) => {
    const { id, podId, config } = record;
    const figure = usageOnDisk(deps, record);
    return {
      id, name: config.metadata?.name ?? '', pod: podName(podId),
      bytes: figure?.bytes ?? 0n, inodes: figure?.inodes ?? 0n, measuredAt: figure?.at ?? 0n,
      measuredBy: measuredBy[figure?.way ?? 'measured'],
    };
  });
}
