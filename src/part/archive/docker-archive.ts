/**
 * `manifest.json` of Docker's image archives (`docker save`; Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset
 * Format"): a list of images, each with the names of its configuration and of its layers' tars in the archive.
 */
import { badArchive } from './archive-index.ts';
import { isObject, parseJson } from './archive-json.ts';

export const dockerManifestName = 'manifest.json';

export interface DockerArchiveImage {
  /** Name in the archive. */
  readonly config: string;
  /** Names in the archive, lowest first. */
  readonly layers: readonly string[];
  readonly repoTags: readonly string[];
}

/** Reads `manifest.json`; malformed is failed-precondition. */
export function parseDockerManifest(bytes: Uint8Array): DockerArchiveImage[] {
  const list = parseJson(bytes, dockerManifestName);
  if (!Array.isArray(list)) throw badArchive('it is not a list of images', dockerManifestName);
  if (list.length === 0) throw badArchive('it names no image', dockerManifestName);
  return list.map((value: unknown) => {
    if (!isObject(value)) throw badArchive('it is not a list of images', dockerManifestName);
    const { Config: config, Layers: layers, RepoTags: repoTags } = value;
    if (typeof config !== 'string' || config === '') throw badArchive('an image has no Config', dockerManifestName);
    return { config, layers: texts(layers ?? [], 'Layers'), repoTags: texts(repoTags ?? [], 'RepoTags') };
  });
}

export function formatDockerManifest(images: readonly DockerArchiveImage[]): Buffer {
  return Buffer.from(JSON.stringify(images.map(({ config, layers, repoTags }) => ({ Config: config, RepoTags: repoTags, Layers: layers }))));
}

function texts(value: unknown, what: string): string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw badArchive(`${what} of an image is not a list of names`, dockerManifestName);
  return value;
}
