/** Something that Gantry made on the host, as a look around finds it; whose it is can be read from its name. */
export interface HeldThing {
  /** `mount`, `cgroup`, `address`, … */
  readonly kind: string;
  /** Path, process or rule: what tells it from others of its kind. */
  readonly name: string;
  /** The pod, container or layer that it was made for. */
  readonly owner: string;
  /** Nanoseconds since the epoch; undefined where that is not known. */
  readonly since?: bigint | undefined;
  /** What it takes on a disk, where that is known without a walk. */
  readonly bytes?: bigint | undefined;
  /** Takes it away; gone already is fine. */
  remove(): Promise<void>;
}

/** An id of a pod or container anywhere in a name. */
export const idInName = /(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/;
