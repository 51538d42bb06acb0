/** Which of an index's manifests is for this node (OCI image-spec, image-index.md "platform"). */
import { arch } from 'node:process';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/** Go's names, which images use, for Node's names of processors. */
const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm: 'arm', arm64: 'arm64', ppc64: 'ppc64le', s390x: 's390x', riscv64: 'riscv64', loong64: 'loong64' };

/** Variants that a processor of the key runs, best first; an absent variant stands for the one marked as usual. */
const runnableVariants: Readonly<Record<string, readonly string[]>> = {
  arm: ['v7', 'v6', 'v5'],
  arm64: ['v8'],
  amd64: ['v1'],
};

const usualVariant: Readonly<Record<string, string>> = { arm: 'v7', arm64: 'v8', amd64: 'v1' };

/** The platform of this machine. */
export function hostPlatform(): Platform {
  return { os: 'linux', architecture: goArchitectures[arch] ?? arch };
}

/** Reads `os/architecture[/variant]`, as `formatPlatform` writes it. */
export function parsePlatform(text: string): Platform {
  const [os = '', architecture = '', variant] = text.split('/');
  return { os, architecture, variant };
}

export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter((part) => part !== undefined && part !== '').join('/');
}

/** How well `offered` runs on `wanted`: 0 is best, undefined is not at all. */
export function platformRank(wanted: Platform, offered: Platform): number | undefined {
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return undefined;
  const variants = runnableVariants[wanted.architecture];
  const usual = usualVariant[wanted.architecture] ?? '';
  const offeredVariant = offered.variant ?? usual;
  const wantedVariant = wanted.variant ?? usual;
  if (variants === undefined) return offeredVariant === wantedVariant ? 0 : undefined;
  if (offeredVariant === wantedVariant) return 0;
  const from = variants.indexOf(wantedVariant);
  const at = variants.indexOf(offeredVariant);
  return at >= 0 && at > from ? at - from : undefined;
}

/** The first of the best-fitting candidates. */
export function choosePlatform<T extends { readonly platform: Platform | undefined }>(wanted: Platform, candidates: readonly T[]): T | undefined {
  let best: { candidate: T; rank: number } | undefined;
  for (const candidate of candidates) {
    const rank = candidate.platform === undefined ? undefined : platformRank(wanted, candidate.platform);
    if (rank !== undefined && (best === undefined || rank < best.rank)) best = { candidate, rank };
  }
  return best?.candidate;
}
