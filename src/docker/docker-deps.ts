/** What the recipes of the Docker engine are made of; main builds it. */
import type { KeyedLock } from '../base/keyed-lock.ts';
import type { Logger } from '../base/log.ts';
import type { SingleFlight } from '../base/single-flight.ts';
import type { UsageMeter } from '../host/usage-meter.ts';
import type { CgroupDriver } from '../part/cgroup/cgroup-path.ts';
import type { Cgroups } from '../part/cgroup/cgroups.ts';
import type { Cni } from '../part/cni/network.ts';
import type { ContainerDefaults } from '../part/spec/container-defaults.ts';
import type { SysctlDefaults } from '../part/spec/effective-sysctls.ts';
import type { HostFacts } from '../part/spec/host-facts.ts';
import type { PolicyFile } from '../part/trust/policy.ts';
import type { EngineApi } from './api/engine-api.ts';
import type { EngineInfo } from './api/engine-answers.ts';
import type { EngineMirror } from './engine-mirror.ts';
import type { LogCopies } from './log/log-copies.ts';

export interface DockerDeps {
  readonly api: EngineApi;
  readonly mirror: EngineMirror;
  /** What the Engine says of itself; asked again after it was away. */
  readonly info: () => Promise<EngineInfo>;
  readonly log: Logger;
  readonly roots: { readonly root: string; readonly state: string };
  /** Those of the configuration in force. */
  readonly defaults: () => { readonly container: ContainerDefaults; readonly sysctls: SysctlDefaults };
  readonly hostFacts: HostFacts;
  readonly cni: Cni;
  /** By the driver that the Engine uses. */
  readonly cgroups: () => Promise<Cgroups>;
  readonly cgroupDriver: () => Promise<CgroupDriver>;
  readonly usage: UsageMeter;
  readonly logs: LogCopies;
  /** The program of infra containers: the first process of a pod that shares its processes, and what holds the others' namespaces. */
  readonly pausePath: string;
  /** RunPodSandbox calls in flight, by natural key. */
  readonly running: SingleFlight<string>;
  /** The names of the infra containers of pods in the making, and their ids as soon as they have any. */
  readonly making: Set<string>;
  readonly stopping: SingleFlight<void>;
  readonly removing: SingleFlight<void>;
  /** CreateContainer calls in flight, by natural key. */
  readonly creating: SingleFlight<string>;
  readonly starting: SingleFlight<void>;
  readonly locks: KeyedLock;
  /** Names and patterns of the images that the kubelet keeps, as configured now. */
  readonly pinned: () => readonly string[];
  /** Whose images are trusted; read at every pull and load. */
  readonly policy: PolicyFile;
  /** The configuration in force, for the verbose status. */
  readonly config: () => unknown;
}
