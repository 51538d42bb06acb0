/** The images of a spooled archive: its documents read and checked, and each layer found. Nothing is stored yet. */
import { digestOf, isDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { failure, messageOf } from '../../base/errors.ts';
import { badArchive } from '../../part/archive/archive-index.ts';
import type { ArchivedFile } from '../../part/archive/archive-index.ts';
import { dockerManifestName, parseDockerManifest } from '../../part/archive/docker-archive.ts';
import type { DockerArchiveImage } from '../../part/archive/docker-archive.ts';
import { blobName, checkLayoutVersion, layoutIndexName, layoutName, parseLayoutIndex } from '../../part/archive/oci-layout.ts';
import type { BlobDescriptor, LayoutEntry } from '../../part/archive/oci-layout.ts';
import type { ImageDocument } from '../../part/content/image-document.ts';
import { choosePlatform, formatPlatform } from '../../part/registry/platform.ts';
import type { Platform } from '../../part/registry/platform.ts';
import { nameOf, parseReference, repoDigestOf, repoTagOf } from '../../part/registry/reference.ts';
import type { ImageReference } from '../../part/registry/reference.ts';
import type { ArchiveTransport } from '../../part/trust/policy.ts';
import type { ArchiveSpool } from './archive-spool.ts';
import { readDocument } from './fetch-document.ts';
import { pairLayers } from './fetch-layers.ts';
import { walkManifests } from './resolve-manifest.ts';
import type { ImageBlob } from './resolve-manifest.ts';

export interface ArchivedLayer {
  readonly diffId: Digest;
  readonly file: ArchivedFile;
  /** Its name in the archive. */
  readonly name: string;
  /** What its bytes must have; undefined where the format does not say. */
  readonly digest: Digest | undefined;
}

export interface ArchivedImage {
  /** As what the signature policy may take the archive: nobody here knows whether a layout came from a directory. */
  readonly transports: readonly ArchiveTransport[];
  /** Complete names. */
  readonly repoTags: readonly string[];
  /** Of the OCI manifest or index, under the names; Docker's format has none. */
  readonly repoDigests: readonly string[];
  readonly config: ImageBlob & { readonly document: ImageDocument };
  /** All that is to be kept, the configuration included. */
  readonly documents: readonly ImageBlob[];
  /** Each once. */
  readonly layers: readonly ArchivedLayer[];
}

/** What to read an archive for. */
export interface ArchiveChoice {
  readonly platform: Platform;
  /** What its only image is to be called instead; undefined leaves the names to the archive. */
  readonly name: ImageReference | undefined;
}

/**
 * Reads all images. `docker save` of today writes an OCI layout with a manifest.json beside it: then the layout counts, where every document is under its
 * digest. Malformed, incomplete, contradictory: failed-precondition. No image for the platform: not-found. A name for several images: invalid-argument.
 */
export async function readArchive(spool: ArchiveSpool, choice: ArchiveChoice): Promise<ArchivedImage[]> {
  const images = await readImages(spool, choice.platform);
  const { name } = choice;
  if (name === undefined) return images;
  const [only, ...others] = images;
  if (only === undefined || others.length > 0) throw failure('invalid-argument', { act: 'name image', object: nameOf(name), why: `the archive has ${images.length} images, and they cannot all be called that: load it without a name` });
  const { repoTags, repoDigests } = namesOf(name, digestOfImage(only));
  return [{ ...only, repoTags, repoDigests }];
}

async function readImages(spool: ArchiveSpool, platform: Platform): Promise<ArchivedImage[]> {
  if (spool.find(layoutIndexName) !== undefined && spool.find(layoutName) !== undefined) return await readLayout(spool, platform);
  if (spool.find(dockerManifestName) === undefined) throw badArchive(`it has neither ${layoutName} with ${layoutIndexName} nor ${dockerManifestName}: it is no image archive`);
  const images: ArchivedImage[] = [];
  for (const image of parseDockerManifest(await spool.document(dockerManifestName, 'the list of images'))) images.push(await readDockerImage(spool, image, platform));
  return images;
}

async function readDockerImage(spool: ArchiveSpool, image: DockerArchiveImage, platform: Platform): Promise<ArchivedImage> {
  const bytes = await spool.document(image.config, "an image's configuration");
  const digest = digestOf(bytes);
  const stated = digestInName(image.config);
  if (stated !== undefined && stated !== digest) throw badArchive(`its content has the digest ${digest}`, image.config);
  const document = readDocument({ digest, bytes }, platform);
  if (document.diffIds.length !== image.layers.length) throw badArchive(`an image has ${image.layers.length} layers there, and ${document.diffIds.length} in its configuration`, dockerManifestName);
  const layers = new Map<Digest, ArchivedLayer>();
  for (const [n, diffId] of document.diffIds.entries()) {
    const name = image.layers[n]!;
    layers.set(diffId, { diffId, name, file: spool.require(name, 'a layer'), digest: name.startsWith('blobs/sha256/') ? digestInName(name) : undefined });
  }
  const repoTags = image.repoTags.map((tag) => namesOf(archivedName(tag), undefined).repoTags).flat();
  return { transports: ['docker-archive'], repoTags, repoDigests: [], config: { digest, bytes, document }, documents: [{ digest, bytes }], layers: [...layers.values()] };
}

async function readLayout(spool: ArchiveSpool, platform: Platform): Promise<ArchivedImage[]> {
  checkLayoutVersion(await spool.document(layoutName, "the layout's version"));
  const images = new Map<Digest, ArchivedImage>();
  for (const { entry, name } of chosenEntries(parseLayoutIndex(await spool.document(layoutIndexName, 'the index of images')), platform)) {
    const image = await readLayoutImage(spool, entry, platform);
    const reference = name === undefined ? undefined : archivedName(name);
    const known = images.get(image.config.digest);
    const names = reference === undefined ? { repoTags: [], repoDigests: [] } : namesOf(reference, entry.digest);
    images.set(image.config.digest, {
      ...image,
      repoTags: [...(known?.repoTags ?? []), ...names.repoTags],
      repoDigests: [...new Set([...(known?.repoDigests ?? []), ...names.repoDigests])],
      documents: [...(known?.documents ?? []), ...image.documents],
    });
  }
  return [...images.values()];
}

/**
 * An index of a layout is of images, each of them for several platforms perhaps. Entries of one name are one image, and of those the one
 * for the platform counts; so are nameless ones that say which platform they are for.
 */
function chosenEntries(entries: readonly LayoutEntry[], platform: Platform): { entry: LayoutEntry; name: string | undefined }[] {
  const groups = new Map<string, LayoutEntry[]>();
  for (const entry of entries) {
    if (entry.platform?.os === 'unknown') continue; // attestations
    const key = entry.name ?? (entry.platform === undefined ? entry.digest : '');
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  return [...groups.values()].map((group) => {
    const entry = group.length === 1 ? group[0] : choosePlatform(platform, group) ?? group.find((one) => one.platform === undefined);
    if (entry !== undefined) return { entry, name: completeName(entry.name) };
    const offered = group.flatMap((one) => (one.platform === undefined ? [] : [formatPlatform(one.platform)]));
    throw failure('not-found', { act: 'choose image', object: group[0]?.name ?? layoutIndexName, why: `there is none for ${formatPlatform(platform)}; it has ${offered.slice(0, 20).join(', ')}` });
  });
}

async function readLayoutImage(spool: ArchiveSpool, entry: LayoutEntry, platform: Platform): Promise<ArchivedImage> {
  const resolved = await walkManifests({ name: entry.name ?? entry.digest, platform }, async (chosen) => {
    const descriptor = chosen ?? entry;
    return { digest: descriptor.digest, bytes: await readBlob(spool, descriptor, 'a manifest'), contentType: descriptor.mediaType };
  });
  const { config } = resolved.manifest;
  const bytes = await readBlob(spool, config, "an image's configuration");
  const document = readDocument({ digest: config.digest, bytes }, platform);
  return {
    transports: spool.find(dockerManifestName) === undefined ? ['oci-archive', 'oci'] : ['oci-archive', 'oci', 'docker-archive'],
    repoTags: [],
    repoDigests: [],
    config: { digest: config.digest, bytes, document },
    documents: [...resolved.documents, { digest: config.digest, bytes }],
    layers: pairLayers(resolved.manifest, document).map(({ blob, diffId }) => ({ diffId, name: blobName(blob.digest), file: requireBlob(spool, blob, 'a layer'), digest: blob.digest })),
  };
}

async function readBlob(spool: ArchiveSpool, descriptor: BlobDescriptor, what: string): Promise<Buffer> {
  requireBlob(spool, descriptor, what);
  const bytes = await spool.document(blobName(descriptor.digest), what);
  const actual = digestOf(bytes);
  if (actual !== descriptor.digest) throw badArchive(`its content has the digest ${actual}`, blobName(descriptor.digest));
  return bytes;
}

function requireBlob(spool: ArchiveSpool, { digest, size }: BlobDescriptor, what: string): ArchivedFile {
  const file = spool.require(blobName(digest), what);
  if (file.size !== size) throw badArchive(`it has ${file.size} bytes, and should have ${size}`, blobName(digest));
  return file;
}

/** The annotation of the specification may be a tag alone, which names nothing: without the repository it is left out. */
function completeName(name: string | undefined): string | undefined {
  return name !== undefined && /[/:]/.test(name) ? name : undefined;
}

function archivedName(text: string): ImageReference {
  try {
    return parseReference(text);
  } catch (error) {
    throw badArchive(`it gives an image a malformed name: ${messageOf(error)}`);
  }
}

/** A name may have a digest in it only where it is the image's: else it would vouch for something that nobody checked. */
function namesOf(reference: ImageReference, digest: Digest | undefined): { repoTags: string[]; repoDigests: string[] } {
  if (reference.digest !== undefined && reference.digest !== digest) {
    throw badArchive(`it is to be called ${repoDigestOf(reference, reference.digest)}, and is ${digest ?? 'of a format that keeps no such digest'}`);
  }
  const tag = repoTagOf(reference);
  return { repoTags: tag === undefined ? [] : [tag], repoDigests: digest === undefined ? [] : [repoDigestOf(reference, digest)] };
}

/** The digest under which a layout's image has its names: of the outermost document. */
function digestOfImage(image: ArchivedImage): Digest | undefined {
  const [first] = image.documents;
  return first === undefined || first.digest === image.config.digest ? undefined : first.digest;
}

/** `<hex>.json` and `blobs/sha256/<hex>` say what they hold. */
function digestInName(name: string): Digest | undefined {
  const stated = `sha256:${name.slice(name.lastIndexOf('/') + 1).replace(/\.json$/, '')}`;
  return isDigest(stated) ? stated : undefined;
}

