/** What a CDI device changes in a container (CDI specification, containerEdits), complete: nothing has to be looked up. Who reads the CDI files and who builds the OCI spec meet in it. */
export interface ContainerEdits {
  readonly env: readonly string[];
  readonly devices: readonly EditedDevice[];
  readonly mounts: readonly EditedMount[];
  readonly hooks: readonly StagedHook[];
  readonly additionalGids: readonly number[];
  /** Empty texts are not said. */
  readonly intelRdt: { readonly closID: string; readonly l3CacheSchema: string; readonly memBwSchema: string } | undefined;
}

export interface EditedDevice {
  readonly path: string;
  readonly type: 'b' | 'c' | 'p';
  readonly major: number;
  readonly minor: number;
  /** Undefined: the runtime's default. */
  readonly mode: number | undefined;
  /** Undefined: the user of the container's process. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** Some of `rwm`; empty: the device cgroup allows nothing. */
  readonly permissions: string;
}

export interface EditedMount {
  readonly hostPath: string;
  readonly containerPath: string;
  /** Empty: a bind mount. */
  readonly type: string;
  readonly options: readonly string[];
  /** Shown with the owners that the pod's user namespace gives to those on the disk. */
  readonly mapped?: boolean;
}

/** The stages of a container's life at which an OCI runtime runs hooks (OCI runtime spec, Hooks). */
export const hookStages = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const;
export type HookStage = (typeof hookStages)[number];

export interface StagedHook {
  readonly stage: HookStage;
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Seconds. */
  readonly timeout: number | undefined;
}
