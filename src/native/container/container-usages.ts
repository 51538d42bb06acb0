import type { ContainerUsage } from '../../gen/admin.ts';
import { upperDir } from '../../part/snapshot/overlay.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerRecord } from './container-record.ts';
import type { UsageMeter } from './usage-meter.ts';

export interface ContainerUsagesDeps {
  readonly records: { all(): readonly ContainerRecord[] };
  readonly usage: Pick<UsageMeter, 'usage'>;
  readonly roots: { readonly root: string; readonly state: string };
  /** `namespace/name` of a pod. */
  readonly podName: (podId: string) => string;
}

/** The writable layers as they were last measured; asking has those measured anew whose figure is old. */
export function containerUsages({ records, usage, roots, podName }: ContainerUsagesDeps): ContainerUsage[] {
  return records.all().map(({ id, podId, config }) => {
    const figure = usage.usage(id, upperDir({ writableDir: containerPaths(roots, id).writable }));
    return {
      id, name: config.metadata?.name ?? '', pod: podName(podId),
      bytes: figure?.bytes ?? 0n, inodes: figure?.inodes ?? 0n, measuredAt: figure?.at ?? 0n,
    };
  });
}
