/**
 * What an image says about how to run it: the `config` object of an OCI image configuration (image-spec, config.md "Properties"). Every
 * property may be absent or null in images found in the wild.
 */
export interface ImageConfig {
  readonly User?: string | null;
  readonly Env?: readonly string[] | null;
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly WorkingDir?: string | null;
  /** Paths that want a volume; the keys count. declared-volumes.ts has the rules. */
  readonly Volumes?: Readonly<Record<string, unknown>> | null;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly StopSignal?: string | null;
}
