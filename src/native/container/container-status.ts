import type { ContainerStatus, Mount } from '../../gen/cri.ts';
import type { VerboseInfo } from '../../engine/engine.ts';
import { resourcesOf } from './container-record.ts';
import type { ContainerRecord } from './container-record.ts';
import { containerState } from './container-state.ts';

/** A container's status from its record alone. */
export function containerStatus(record: ContainerRecord): ContainerStatus {
  const resources = resourcesOf(record);
  return {
    id: record.id,
    metadata: record.config.metadata,
    state: containerState(record),
    createdAt: record.createdAt,
    startedAt: record.startedAt ?? 0n,
    finishedAt: record.exit?.at ?? 0n,
    exitCode: record.exit?.code ?? 0,
    image: record.config.image,
    imageRef: record.imageId,
    reason: record.exit?.reason ?? '',
    message: record.exit?.message ?? '',
    labels: record.config.labels,
    annotations: record.config.annotations,
    mounts: reportedMounts(record),
    logPath: record.logPath,
    resources: resources === undefined ? undefined : { linux: resources, windows: undefined },
    imageId: record.imageId,
    user: record.user,
    stopSignal: record.stopSignal,
  };
}

/** As they were asked for, each image with the id that it turned out to be (KEP-5365). */
function reportedMounts({ config, imageVolumes }: ContainerRecord): Mount[] {
  return config.mounts.map((mount, index) => (mount.image === undefined ? mount : { ...mount, image: { ...mount.image, imageRef: imageVolumes?.[index] ?? '' } }));
}

/**
 * The `info` map of a verbose status, under the key names that tools know from containerd. Environment values stay out of
 * it: they often hold secrets, and a debug dump of a node should not.
 */
export function containerInfo(record: ContainerRecord, runtimeSpec: unknown): VerboseInfo {
  return {
    info: JSON.stringify({
      sandboxID: record.podId,
      pid: record.exit === undefined ? record.process.pid : 0,
      runtimeType: 'oci',
      runtimeHandler: record.handler,
      snapshotter: record.snapshotter === 'copy' ? 'copy' : 'overlayfs',
      snapshotKey: record.id,
      image: record.imageId,
      cgroup: record.cgroup,
      privileged: record.config.linux?.securityContext?.privileged ?? false,
      resourceAnnotations: record.resourceAnnotations ?? {},
      runtimeSpec: withoutEnvironment(runtimeSpec),
    }),
  };
}

function withoutEnvironment(spec: unknown): unknown {
  if (typeof spec !== 'object' || spec === null || !('process' in spec)) return spec;
  const process = spec.process as { env?: readonly string[] } | undefined;
  return { ...spec, process: { ...process, env: process?.env?.map((entry) => entry.slice(0, entry.indexOf('=') + 1)) } };
}
