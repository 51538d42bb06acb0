import type { Ulimit } from '../../base/config/container-kinds.ts';
import type { BaseSpec } from './base-spec.ts';
import type { SeccompProfile } from './seccomp-profile.ts';
import type { Workload } from './with-workload.ts';

/** What the node gives every container where neither pod nor image says otherwise: the table `[container]` of the configuration, its files read. */
export interface ContainerDefaults {
  readonly ulimits: readonly Ulimit[];
  readonly env: Readonly<Record<string, string>>;
  /** Full names, before the container adds and drops any. */
  readonly capabilities: readonly string[];
  /** 0 is no limit of its own. */
  readonly pidsLimit: number;
  readonly umask: number;
  /** Give the devices that a container asks for to its user. */
  readonly devicesToUser: boolean;
  /** A file of the node for /etc/localtime. */
  readonly localtime: string | undefined;
  /** Never ask for less than the daemon's own oom_score_adj. */
  readonly restrictOomScore: boolean;
  /** What RuntimeDefault is. */
  readonly seccomp: SeccompProfile;
  /** In order: of two that a pod is of, the first counts. */
  readonly workloads: readonly Workload[];
}

/** What a runtime handler adds to the containers that run under it. */
export interface HandlerDefaults {
  /** Which annotations of pods and containers the runtime sees; `*` is any characters. */
  readonly allowedAnnotations: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly baseSpec: BaseSpec | undefined;
  /** What a privileged container gets of the node's devices: all, none but with leave to use any, or none. */
  readonly privilegedDevices: 'all' | 'allowed' | 'none';
  /** Bytes; a memory limit below is refused. 0 refuses none. */
  readonly minMemory: number;
  /** What RuntimeDefault is for them; undefined where it is the node's. */
  readonly seccomp: SeccompProfile | undefined;
}
