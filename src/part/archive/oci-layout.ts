/**
 * The two documents that make a directory or a tar an OCI image layout (OCI image-spec, image-layout.md): `oci-layout` with the version, and
 * `index.json` with the images. All else is `blobs/sha256/<hex>`.
 */
import { hexOf, isDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { badArchive } from './archive-index.ts';
import { isObject, parseJson } from './archive-json.ts';

export const layoutName = 'oci-layout';
export const layoutIndexName = 'index.json';

/** Where a blob is in a layout. */
export function blobName(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

export const ociMediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

export interface BlobDescriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

export interface LayoutEntry extends BlobDescriptor {
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant: string | undefined } | undefined;
  /** What the annotations call it: a complete name, or a tag alone; undefined for neither. */
  readonly name: string | undefined;
}

// The first is containerd's and Docker's, always complete; the other is the specification's, and may be a tag alone.
const nameAnnotations = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

/** Refuses (failed-precondition) a layout of another version than 1. */
export function checkLayoutVersion(bytes: Uint8Array): void {
  const layout = parseJson(bytes, layoutName);
  const version = isObject(layout) ? layout['imageLayoutVersion'] : undefined;
  if (typeof version !== 'string' || !version.startsWith('1.')) throw badArchive(`the version of its layout is ${JSON.stringify(version)?.slice(0, 40) ?? 'not stated'}, known is 1.0.0`, layoutName);
}

/** Reads `index.json`; malformed or without any image is failed-precondition. */
export function parseLayoutIndex(bytes: Uint8Array): LayoutEntry[] {
  const index = parseJson(bytes, layoutIndexName);
  const manifests = isObject(index) ? index['manifests'] : undefined;
  if (!Array.isArray(manifests) || (isObject(index) && ('layers' in index || 'config' in index))) throw badArchive('it is not an index of images', layoutIndexName);
  if (manifests.length === 0) throw badArchive('it names no image', layoutIndexName);
  return manifests.map(readEntry);
}

function readEntry(value: unknown): LayoutEntry {
  if (!isObject(value)) throw badArchive('an image of it is not an object', layoutIndexName);
  const { mediaType = '', digest, size, platform } = value;
  if (typeof digest !== 'string' || !isDigest(digest)) throw badArchive('an image of it has no sha256 digest', layoutIndexName);
  if (typeof mediaType !== 'string' || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw badArchive(`${digest} has no valid media type and size`, layoutIndexName);
  return { mediaType, digest, size, platform: readPlatform(platform), name: readName(value['annotations']) };
}

function readPlatform(value: unknown): LayoutEntry['platform'] {
  if (!isObject(value)) return undefined;
  const { os, architecture, variant } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return { os, architecture, variant: typeof variant === 'string' && variant !== '' ? variant : undefined };
}

function readName(annotations: unknown): string | undefined {
  if (!isObject(annotations)) return undefined;
  const [first] = nameAnnotations.map((key) => annotations[key]).filter((name) => typeof name === 'string' && name !== '');
  return first as string | undefined;
}

/** The manifest of an image whose layers are stored as they are, uncompressed. */
export function formatManifest(config: { readonly digest: Digest; readonly size: number }, layers: readonly { readonly digest: Digest; readonly size: number }[]): Buffer {
  return Buffer.from(JSON.stringify({
    schemaVersion: 2,
    mediaType: ociMediaTypes.manifest,
    config: { mediaType: ociMediaTypes.config, digest: config.digest, size: config.size },
    layers: layers.map(({ digest, size }) => ({ mediaType: ociMediaTypes.layer, digest, size })),
  }));
}

/** `index.json`: an entry for each name of an image, with the annotations by which other tools know it, or one for an image without names. */
export function formatLayoutIndex(images: readonly { readonly digest: Digest; readonly size: number; readonly names: readonly string[] }[]): Buffer {
  const manifests = images.flatMap(({ digest, size, names }) => {
    const descriptor = { mediaType: ociMediaTypes.manifest, digest, size };
    if (names.length === 0) return [descriptor];
    return names.map((name) => ({ ...descriptor, annotations: Object.fromEntries(nameAnnotations.map((key) => [key, name])) }));
  });
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociMediaTypes.index, manifests }));
}

export function formatLayoutVersion(): Buffer {
  return Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}
