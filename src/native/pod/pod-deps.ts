/** The parts that the pod recipes are made of; main builds them. */
import type { Logger } from '../../base/log.ts';
import type { ObjectIds } from '../../base/object-id.ts';
import type { SingleFlight } from '../../base/single-flight.ts';
import type { Cgroups } from '../../part/cgroup/cgroups.ts';
import type { Cni } from '../../part/cni/network.ts';
import type { RuntimeHandlers } from '../../part/oci/runtime-handlers.ts';
import type { AppArmor } from '../../part/lsm/apparmor.ts';
import type { McsLevels } from '../../part/lsm/mcs-levels.ts';
import type { SelinuxContexts } from '../../part/lsm/selinux-contexts.ts';
import type { HostFacts } from '../../part/spec/host-facts.ts';
import type { Snapshotters } from '../../part/snapshot/choose-snapshotter.ts';
import type { Debts } from '../../part/store/debts.ts';
import type { Effects } from '../../part/store/effects.ts';
import type { Table } from '../../part/store/store.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { ContainerStats, ContainerStatus } from '../../gen/cri.ts';
import type { NodeDefaults } from '../container/node-defaults.ts';
import type { PodRecord } from './pod-record.ts';
import type { UserNamespaceSupport } from './user-namespace-support.ts';

/** What pods ask of the container floor. */
export interface PodContainers {
  /** Kills every container of the pod that still lives, and ends those in the making, all at once. */
  killAllOf(podId: string): Promise<void>;
  removeAllOf(podId: string, ctx: CallContext): Promise<void>;
  /** Whether any container of the pod has not ended. */
  lives(podId: string): boolean;
  statusesOf(podId: string): ContainerStatus[];
  statsOf(podId: string): Promise<ContainerStats[]>;
}

export interface PodSelinux {
  readonly contexts: SelinuxContexts;
  readonly levels: McsLevels;
}

export interface PodDeps {
  readonly log: Logger;
  readonly roots: { readonly root: string; readonly state: string };
  readonly records: Table<PodRecord>;
  readonly ids: ObjectIds;
  readonly effects: Effects;
  readonly snapshotters: Snapshotters;
  readonly debts: Debts;
  readonly cni: Cni;
  readonly handlers: RuntimeHandlers;
  readonly hostFacts: HostFacts;
  /** Those of the configuration in force: a reload changes them. */
  readonly defaults: () => NodeDefaults;
  /** Undefined on a node without AppArmor, or with it switched off. */
  readonly apparmor: AppArmor | undefined;
  /** Undefined on a node without SELinux, or with it switched off. */
  readonly selinux: PodSelinux | undefined;
  readonly containers: PodContainers;
  readonly bootId: string;
  readonly conmonPath: string;
  /** Where conmon puts exit files. */
  readonly exitDir: string;
  readonly cgroups: Cgroups;
  /** A static program that does nothing but reap (catatonit); run where a pod shares one PID namespace. */
  readonly pausePath: string;
  /** Whether a handler can run pods with a user namespace. */
  readonly userNamespaces: UserNamespaceSupport;
  readonly isReady: (record: PodRecord) => boolean;
  /** RunPodSandbox calls in flight, by natural key, and the ids they are making. */
  readonly running: SingleFlight<string>;
  readonly making: Set<string>;
  /** Pods that this daemon is restoring. */
  readonly restoring: Set<string>;
  readonly stopping: SingleFlight<void>;
  readonly removing: SingleFlight<void>;
}
