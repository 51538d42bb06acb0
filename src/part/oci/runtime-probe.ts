/** What an OCI runtime can do, read from its `--version` and, where it has that command, `features`. */

export interface RuntimeProbe {
  /** The first line of `--version`: `crun version 1.8.1`. */
  readonly version: string;
  /** True when mounts can have id mappings, which pods with a user namespace need. */
  readonly idmappedMounts: boolean;
  /** True for the mount option `rro`. */
  readonly recursiveReadOnly: boolean;
  /** True when it was built with CRIU. */
  readonly checkpoint: boolean;
}

interface Features {
  readonly mountOptions?: readonly string[];
  readonly linux?: { readonly mountExtensions?: { readonly idmap?: { readonly enabled?: boolean } } };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** `featuresText` is the JSON of `features` (OCI runtime spec, features.md); undefined when the runtime has no such command. */
export function parseProbe(versionText: string, featuresText: string | undefined): RuntimeProbe {
  const version = versionText.split('\n')[0]!.trim();
  const builtWithCriu = /\+CRIU\b/.test(versionText);
  if (featuresText === undefined) return probeByVersion(version, builtWithCriu);
  const features = parseFeatures(featuresText);
  if (features === undefined) return probeByVersion(version, builtWithCriu);
  return {
    version,
    idmappedMounts: features.linux?.mountExtensions?.idmap?.enabled === true,
    recursiveReadOnly: features.mountOptions?.includes('rro') === true,
    checkpoint: builtWithCriu || features.annotations?.['org.opencontainers.runc.checkpoint.enabled'] === 'true',
  };
}

// A crun of before 1.8.6 cannot list its features but has both: mounts with id mappings since 1.8.1, `rro` since 1.4. An older runc has
// neither, and ignores id mappings without a word.
function probeByVersion(version: string, checkpoint: boolean): RuntimeProbe {
  const [, ...numbers] = /^crun version (\d+)\.(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  const [major = 0, minor = 0, patch = 0] = numbers.map((number) => Number(number ?? 0));
  const atLeast = (wantedMinor: number, wantedPatch: number): boolean => major > 1 || (major === 1 && (minor > wantedMinor || (minor === wantedMinor && patch >= wantedPatch)));
  return { version, idmappedMounts: atLeast(8, 1), recursiveReadOnly: atLeast(4, 0), checkpoint };
}

function parseFeatures(text: string): Features | undefined {
  try {
    return JSON.parse(text) as Features;
  } catch {
    return undefined;
  }
}
