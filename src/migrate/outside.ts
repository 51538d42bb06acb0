/** What a migration needs of the node besides its files; main/ has the real ones. */
import type { AdoptedImage } from '../gen/admin.ts';

export interface RunningPod {
  readonly id: string;
  /** By which the kubelet's cgroups are named. */
  readonly uid: string;
  /** namespace/name */
  readonly name: string;
}

/** The service manager. All three resolve when it is so; what it says when it is not is failed-precondition. */
export interface Units {
  /** Whether there is such a unit. */
  has(unit: string): Promise<boolean>;
  stop(unit: string): Promise<void>;
  start(unit: string): Promise<void>;
  restart(unit: string): Promise<void>;
}

export interface RunningProgram {
  readonly pid: number;
  /** Its command line without its own name. */
  readonly words: readonly string[];
}

/** The daemon that the node is to have. What cannot be asked because nobody answers is unavailable. */
export interface NewRuntime {
  readonly socket: string;
  answers(): Promise<boolean>;
  /** Conditions that do not hold, in words. */
  complaints(): Promise<string[]>;
  cgroupDriver(): Promise<'systemd' | 'cgroupfs' | undefined>;
  adopt(source: { readonly from: string; readonly root: string; readonly namespace: string; readonly dryRun: boolean }): AsyncIterable<AdoptedImage>;
  /** All, those that have ended too. */
  pods(): Promise<RunningPod[]>;
  /** Stops the pod and takes it away. */
  removePod(id: string): Promise<void>;
}

/** The runtime that the node has. */
export interface OldRuntime {
  /** Pods of the kubelet that run. */
  pods(): Promise<RunningPod[]>;
  /** Stops a pod's containers; they stay there. */
  stopPod(id: string): Promise<void>;
  /** Names of running containers that are no pod's: they are nobody's business here. */
  strangers(): Promise<string[]>;
}

export interface Outside {
  /** Undefined where systemd does not run the node. */
  readonly units: Units | undefined;
  /** Running programs of that name. */
  programs(name: string): Promise<RunningProgram[]>;
  /** The kubelet's minor version; undefined when it cannot be asked. */
  kubeletMinor(): Promise<number | undefined>;
  readonly gantry: NewRuntime;
  oldRuntime(endpoint: string | undefined): OldRuntime;
  /** Aborted when that person wants to stop. */
  readonly signal: AbortSignal;
  /** Tells the person who waits. */
  say(line: string): Promise<void>;
}
