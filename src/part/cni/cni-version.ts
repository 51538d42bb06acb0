/** The versions of the CNI specification that Gantry speaks. */

/** In ascending order. Older ones have another result format and no plugin chains, and no network of today uses them. */
export const cniVersions = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

export type CniVersion = (typeof cniVersions)[number];

export function atLeast(version: CniVersion, wanted: CniVersion): boolean {
  return cniVersions.indexOf(version) >= cniVersions.indexOf(wanted);
}

/** Those that Gantry speaks, each once, highest first. */
export function spokenVersions(texts: readonly unknown[]): CniVersion[] {
  return cniVersions.filter((version) => texts.includes(version)).reverse();
}
