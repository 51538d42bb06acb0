/** A CDI spec file as its schema has it (spec 0.3.0 to 1.1.0), checked. */
import type { EditedMount, StagedHook } from '../../base/container-edits.ts';

export interface CdiSpec {
  /** `vendor.com/class`. */
  readonly kind: string;
  /** Made once when any of the devices is asked for. */
  readonly edits: CdiEdits;
  readonly devices: ReadonlyMap<string, CdiEdits>;
}

export interface CdiEdits {
  /** `NAME=value` each. */
  readonly env: readonly string[];
  readonly deviceNodes: readonly CdiDeviceNode[];
  readonly netDevices: readonly string[];
  readonly mounts: readonly EditedMount[];
  readonly hooks: readonly StagedHook[];
  readonly additionalGids: readonly number[];
  readonly intelRdt: CdiIntelRdt | undefined;
}

/** What is undefined is to be taken from the node on the host. */
export interface CdiDeviceNode {
  readonly path: string;
  readonly hostPath: string;
  readonly type: 'b' | 'c' | 'p' | undefined;
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number | undefined;
  /** Some of `rwm`; empty for none of them. */
  readonly permissions: string;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

export interface CdiIntelRdt {
  readonly closID: string;
  readonly l3CacheSchema: string;
  readonly memBwSchema: string;
  /** The settings in use that an OCI runtime of specification 1.0.2 does not know. */
  readonly newer: readonly string[];
}
