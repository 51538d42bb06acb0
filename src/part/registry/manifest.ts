/**
 * Image manifests and indexes (OCI image-spec manifest.md, image-index.md; Docker schema 2 and manifest lists, which are the same
 * in all but names). A document that can be read as both is refused (CVE-2021-41190); foreign `urls` of layers are not
 * even read (CVE-2020-15157).
 */
import { isDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { failure } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';
import type { Platform } from './platform.ts';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

export interface ImageManifest {
  readonly kind: 'manifest';
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
}

export interface ImageIndex {
  readonly kind: 'index';
  readonly manifests: readonly (Descriptor & { readonly platform: Platform | undefined })[];
}

const manifestTypes = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'];
const indexTypes = ['application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json'];
const configTypes = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];

/** More than the kernel could ever mount. */
const mostLayers = 500;

/** What we ask a registry for. */
export const acceptedTypes = [...manifestTypes, ...indexTypes].join(', ');

/**
 * Reads a document that was served as `contentType`. Schema 1, ambiguous or malformed documents, artifacts that are no images and
 * encrypted layers are failed-precondition.
 */
export function parseManifest(bytes: Uint8Array, contentType: string, name: string): ImageManifest | ImageIndex {
  const refuse = (why: string): GantryError => failure('failed-precondition', { act: 'read manifest', object: name, why });
  const document = parseObject(bytes, refuse);
  const type = typeOf(document, contentType, refuse);
  return indexTypes.includes(type) ? readIndex(document, refuse) : readManifest(document, refuse);
}

type Json = Record<string, unknown>;
type Refuse = (why: string) => GantryError;

function parseObject(bytes: Uint8Array, refuse: Refuse): Json {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw refuse('it is not JSON');
  }
  if (!isObject(value)) throw refuse('it is not a JSON object');
  return value;
}

function typeOf(document: Json, contentType: string, refuse: Refuse): string {
  const served = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const stated = document['mediaType'];
  if (document['schemaVersion'] === 1 || 'fsLayers' in document || served.startsWith('application/vnd.docker.distribution.manifest.v1+')) {
    throw refuse('it is a Docker schema 1 manifest, a format from before 2016 without content digests: push the image again with a current tool');
  }
  const looksLikeIndex = 'manifests' in document;
  if (looksLikeIndex && ('layers' in document || 'config' in document)) throw refuse('it is ambiguous: an index and a manifest at once');
  const known = [...manifestTypes, ...indexTypes];
  if (stated !== undefined && (typeof stated !== 'string' || !known.includes(stated))) throw refuse(`its media type ${JSON.stringify(stated).slice(0, 120)} is not one of an image`);
  if (known.includes(served) && stated !== undefined && stated !== served) throw refuse(`it says it is ${stated}, but is served as ${served}`);
  // Some registries serve everything as text or JSON; then the document decides.
  const type = known.includes(served) ? served : stated ?? (looksLikeIndex ? indexTypes[0] : manifestTypes[0]);
  if (indexTypes.includes(String(type)) !== looksLikeIndex) throw refuse(`it is served as ${type}, but its content is something else`);
  return String(type);
}

function readManifest(document: Json, refuse: Refuse): ImageManifest {
  const config = readDescriptor(document['config'], 'config', refuse);
  if (!configTypes.includes(config.mediaType)) throw refuse(`it is no container image but an artifact of type ${JSON.stringify(config.mediaType)}`);
  const layers = readArray(document['layers'], 'layers', refuse).map((layer, i) => readDescriptor(layer, `layer ${i}`, refuse));
  if (layers.length > mostLayers) throw refuse(`it has ${layers.length} layers, the limit is ${mostLayers}`);
  if (layers.some((layer) => layer.mediaType.includes('+encrypted'))) throw refuse('its layers are encrypted, which is not supported');
  return { kind: 'manifest', config, layers };
}

function readIndex(document: Json, refuse: Refuse): ImageIndex {
  const manifests = readArray(document['manifests'], 'manifests', refuse).map((value, i) => {
    const descriptor = readDescriptor(value, `manifest ${i}`, refuse);
    return { ...descriptor, platform: readPlatform((value as Json)['platform']) };
  });
  return { kind: 'index', manifests };
}

function readDescriptor(value: unknown, what: string, refuse: Refuse): Descriptor {
  if (!isObject(value)) throw refuse(`${what} is missing or not an object`);
  const { mediaType = '', digest, size } = value;
  if (typeof mediaType !== 'string') throw refuse(`${what} has a malformed media type`);
  if (typeof digest !== 'string' || !isDigest(digest)) throw refuse(`${what} has no sha256 digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw refuse(`${what} has no valid size`);
  return { mediaType, digest, size };
}

function readPlatform(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined;
  const { os, architecture, variant } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return { os, architecture, variant: typeof variant === 'string' && variant !== '' ? variant : undefined };
}

function readArray(value: unknown, what: string, refuse: Refuse): unknown[] {
  if (!Array.isArray(value)) throw refuse(`${what} is missing or not a list`);
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
