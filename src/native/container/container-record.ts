/**
 * What is kept of a container. Facts only: its state is derived from them (container-state.ts), never stored.
 */
import type { ContainerConfig, ContainerUser, LinuxContainerResources, Signal } from '../../gen/cri.ts';
import type { ProcessRef } from '../../part/oci/process-ref.ts';
import type { CopiedUsage, SnapshotDriver } from '../../part/snapshot/snapshotter.ts';
import type { LayerProject } from '../../host/usage-meter.ts';

/** How a container ended. */
export interface ContainerExit {
  readonly code: number;
  /** Nanoseconds since the epoch. */
  readonly at: bigint;
  /** `Completed`, `Error`, `OOMKilled`, or `Unknown` when nobody could collect the exit. */
  readonly reason: string;
  readonly message: string;
}

export interface ContainerRecord {
  readonly id: string;
  readonly podId: string;
  readonly config: ContainerConfig;
  /** The config id of its image: the one identity used in every RPC. */
  readonly imageId: string;
  /** Lower directories of its root, topmost first. */
  readonly layers: readonly string[];
  /** What made its root; absent in records from before there was more than overlay. */
  readonly snapshotter?: SnapshotDriver;
  /** What of its writable layer came with the image. */
  readonly copied?: CopiedUsage;
  /** Its writable directory as a project of the filesystem; absent where that counts none, and for copied roots. */
  readonly project?: LayerProject;
  /** The ids of the images that it mounts as volumes, by their place in config.mounts; absent where it mounts none. */
  readonly imageVolumes?: Readonly<Record<number, string>>;
  readonly handler: string;
  readonly user: ContainerUser | undefined;
  /** Asks it to stop; never the CRI's "default", which was resolved against the image. */
  readonly stopSignal: Signal;
  /** The limits in force: those of `config`, as far as this host keeps them, and as they were changed since. Absent in records of 0.1. */
  readonly resources?: LinuxContainerResources | undefined;
  /** The annotations of those changes. */
  readonly resourceAnnotations?: Readonly<Record<string, string>>;
  /** Absolute; empty when the container has no log. */
  readonly logPath: string;
  /** linux.cgroupsPath of its spec. */
  readonly cgroup: string;
  /** `Cgroups.oomKillsAround` when it was made. */
  readonly oomKillsAround?: number | undefined;
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint;
  /** It is CREATED without a process, and its start restores it of what is in this folder; absent in every other. */
  readonly restore?: { readonly folder: string } | undefined;
  /** The container's first process; `noProcess` while there is none. */
  readonly process: ProcessRef;
  /** The conmon that watches over it. */
  readonly monitor: ProcessRef;
  /** A process means nothing after a reboot. */
  readonly bootId: string;
  readonly startedAt: bigint | undefined;
  readonly exit: ContainerExit | undefined;
}

/** Whether a container runs from an image or has it as a volume: until it is removed the image stays. */
export function usesImage(record: ContainerRecord, imageId: string): boolean {
  return record.imageId === imageId || Object.values(record.imageVolumes ?? {}).includes(imageId);
}

/** The natural key of a container: a repeated CreateContainer carries the same one. */
export function containerKey(podId: string, config: ContainerConfig): string {
  return `${podId}/${config.metadata?.name ?? ''}/${config.metadata?.attempt ?? 0}`;
}

/** The limits that a container has now; undefined when it was made without any and none were set since. */
export function resourcesOf(record: Pick<ContainerRecord, 'config' | 'resources'>): LinuxContainerResources | undefined {
  return record.resources ?? record.config.linux?.resources;
}
