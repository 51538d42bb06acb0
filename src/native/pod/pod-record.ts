/** What is kept of a pod. Facts only; whether it is READY follows from them (pod-state.ts). */
import type { PodSandboxConfig } from '../../gen/cri.ts';
import type { ProcessRef } from '../../part/oci/process-ref.ts';
import type { SnapshotDriver } from '../../part/snapshot/snapshotter.ts';

export interface PodRecord {
  readonly id: string;
  readonly config: PodSandboxConfig;
  /** The handler's name as the status reports it: empty when the kubelet asked for the default. */
  readonly runtimeHandler: string;
  /** The handler that its containers run under. */
  readonly handler: string;
  /** What its handler made the roots of containers with; undefined where it left that to the node. */
  readonly snapshotter?: SnapshotDriver | undefined;
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint;
  /** The pod's addresses, the primary first; empty in the host's network. */
  readonly ips: readonly string[];
  /** The process that holds the PID namespace, where its containers share one. */
  readonly infra: ProcessRef | undefined;
  readonly cgroupParent: string;
  /** The SELinux level of its containers, no other pod's while this record is there; undefined when it was made without SELinux. */
  readonly selinuxLevel: string | undefined;
  /** Pinned namespaces and an infra process mean nothing after a reboot. */
  readonly bootId: string;
  /** Set once by StopPodSandbox, before anything is taken away. */
  readonly stopped: boolean;
  /** Its containers are being made of a checkpoint; a daemon that finds it so removes it. */
  readonly restoring?: true;
}
