/**
 * Container images made on the spot, for tests, the demo and the benchmark: a tar writer, manifests of either format, and a push to a
 * registry. Everything is deterministic: the same call gives the same digests.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { Registry } from './registry.ts';
import { registryRequest } from './registry.ts';

export interface TestEntry {
  readonly path: string;
  readonly type?: 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';
  readonly content?: string | Uint8Array;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since the epoch. */
  readonly mtime?: number;
  /** Target of a link. */
  readonly link?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
  /** More pax records for this entry. */
  readonly pax?: Readonly<Record<string, string>>;
}

export interface TestBlob {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Buffer;
}

export interface TestImage {
  /** The image id: digest of the configuration. Of an index: of its first image. */
  readonly id: string;
  /** What a tag of this image stands for: the manifest, or the index. */
  readonly top: TestBlob;
  /** Manifests below an index. */
  readonly manifests: readonly TestBlob[];
  /** Configurations and layers. */
  readonly blobs: readonly TestBlob[];
  readonly diffIds: readonly string[];
}

export interface ImageRecipe {
  /** Lowest first; each as entries, or as a tar. */
  readonly layers: readonly (readonly TestEntry[] | Buffer)[];
  /** The `config` object: Cmd, Env, User … */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly compression?: 'gzip' | 'zstd' | 'none';
  readonly format?: 'oci' | 'docker';
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
}

const goArchitecture = process.arch === 'x64' ? 'amd64' : process.arch;

const mediaTypes = {
  oci: {
    index: 'application/vnd.oci.image.index.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: { none: 'application/vnd.oci.image.layer.v1.tar', gzip: 'application/vnd.oci.image.layer.v1.tar+gzip', zstd: 'application/vnd.oci.image.layer.v1.tar+zstd' },
  },
  docker: {
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: {
      none: 'application/vnd.docker.image.rootfs.diff.tar', gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip', zstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
    },
  },
};

/** Makes an image of one platform. */
export function makeImage(recipe: ImageRecipe): TestImage {
  const { compression = 'gzip', format = 'oci', platform = { os: 'linux', architecture: goArchitecture } } = recipe;
  const types = mediaTypes[format];
  const tars = recipe.layers.map((layer) => (Buffer.isBuffer(layer) ? layer : tarOf(layer)));
  const layers = tars.map((tar) => blobOf(types.layer[compression], compress(tar, compression)));
  const diffIds = tars.map(digestOf);
  const config = jsonBlob(types.config, { ...platform, config: recipe.config ?? {}, rootfs: { type: 'layers', diff_ids: diffIds }, history: [] });
  const top = jsonBlob(types.manifest, { schemaVersion: 2, mediaType: types.manifest, config: descriptorOf(config), layers: layers.map(descriptorOf) });
  return { id: config.digest, top, manifests: [], blobs: [config, ...layers], diffIds };
}

/** An index (or Docker manifest list) over images of several platforms. */
export function makeIndex(images: readonly { image: TestImage; platform: { os: string; architecture: string; variant?: string } }[], format: 'oci' | 'docker' = 'oci'): TestImage {
  const type = mediaTypes[format].index;
  const top = jsonBlob(type, { schemaVersion: 2, mediaType: type, manifests: images.map(({ image, platform }) => ({ ...descriptorOf(image.top), platform })) });
  return {
    id: images[0]?.image.id ?? '',
    top,
    manifests: images.map(({ image }) => image.top),
    blobs: images.flatMap(({ image }) => image.blobs),
    diffIds: images[0]?.image.diffIds ?? [],
  };
}

/** Pushes an image as `repository:tag` (or untagged, as `repository`) and returns the reference to pull it by. */
export async function pushImage(registry: Registry, name: string, image: TestImage): Promise<string> {
  const [repository = '', tag] = name.split(':');
  for (const blob of image.blobs) {
    const started = await registryRequest(registry, { method: 'POST', path: `/v2/${repository}/blobs/uploads/` });
    const location = new URL(started.location, registry.url);
    location.searchParams.set('digest', blob.digest);
    await registryRequest(registry, { method: 'PUT', path: location.pathname + location.search, body: blob.bytes, type: 'application/octet-stream' });
  }
  for (const manifest of image.manifests) await putManifest(registry, repository, manifest.digest, manifest);
  await putManifest(registry, repository, tag ?? image.top.digest, image.top);
  return tag === undefined ? `${registry.host}/${repository}@${image.top.digest}` : `${registry.host}/${repository}:${tag}`;
}

/**
 * A small image to run things in: the machine's static busybox with its applets as symlinks, users root, app (1000) and nobody.
 * `wget` and others that resolve names are left out: in a static glibc binary they crash. Use `nc` and `httpd`.
 */
export function busyboxImage(recipe: Partial<ImageRecipe> = {}): TestImage {
  const config = { Env: ['PATH=/bin'], Cmd: ['sh'], ...recipe.config };
  return makeImage({ ...recipe, layers: [busyboxLayer(), ...(recipe.layers ?? [])], config });
}

const crashing = new Set(['wget', 'nslookup', 'busybox']);

/** The one layer of `busyboxImage`. */
export function busyboxLayer(): TestEntry[] {
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n').filter((applet) => !crashing.has(applet));
  const directories: TestEntry[] = ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'run', 'sys', 'usr', 'var'].map((path) => ({ path, type: 'directory' }));
  return [
    ...directories,
    { path: 'tmp', type: 'directory', mode: 0o1777 },
    { path: 'home/app', type: 'directory', uid: 1000, gid: 1000 },
    { path: 'bin/busybox', mode: 0o755, content: readFileSync('/bin/busybox') },
    ...applets.map((applet): TestEntry => ({ path: `bin/${applet}`, type: 'symlink', link: 'busybox' })),
    { path: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' },
    { path: 'etc/group', content: 'root:x:0:\napp:x:1000:\nextra:x:2000:app\nnogroup:x:65534:\n' },
  ];
}

/** Writes a tar (ustar; pax records where ustar has no room). */
export function tarOf(entries: readonly TestEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(tarEntry), Buffer.alloc(1024)]);
}

const typeFlags = { file: '0', hardlink: '1', symlink: '2', char: '3', block: '4', directory: '5', fifo: '6' };
const defaultModes = { directory: 0o755, symlink: 0o777 };

function tarEntry(entry: TestEntry): Buffer[] {
  const { type = 'file', path, link = '', mtime = 1_600_000_000 } = entry;
  const content = Buffer.from(entry.content ?? '');
  const records = new Map<string, Buffer>(Object.entries(entry.pax ?? {}).map(([key, value]) => [key, Buffer.from(value)]));
  for (const [name, value] of Object.entries(entry.xattrs ?? {})) records.set(`SCHILY.xattr.${name}`, Buffer.from(value));
  if (Buffer.byteLength(path) > 100) records.set('path', Buffer.from(path));
  if (Buffer.byteLength(link) > 100) records.set('linkpath', Buffer.from(link));

  const parts: Buffer[] = [];
  if (records.size > 0) {
    const body = Buffer.concat([...records].map(([key, value]) => paxRecord(key, value)));
    parts.push(tarHeader({ name: 'pax', flag: 'x', size: body.length, mode: 0o644, mtime: 0 }), padded(body));
  }
  const mode = entry.mode ?? (type in defaultModes ? defaultModes[type as keyof typeof defaultModes] : 0o644);
  parts.push(tarHeader({ name: path, flag: typeFlags[type], size: content.length, mode, mtime, link, uid: entry.uid, gid: entry.gid, major: entry.major, minor: entry.minor }));
  if (content.length > 0) parts.push(padded(content));
  return parts;
}

interface HeaderFields {
  readonly name: string;
  readonly flag: string;
  readonly size: number;
  readonly mode: number;
  readonly mtime: number;
  readonly link?: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly major?: number | undefined;
  readonly minor?: number | undefined;
}

/** One 512-byte ustar header. */
export function tarHeader(fields: HeaderFields): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, offset: number, length: number): void => void header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1');
  header.write(fields.name, 0, 100);
  octal(fields.mode, 100, 8);
  octal(fields.uid ?? 0, 108, 8);
  octal(fields.gid ?? 0, 116, 8);
  octal(fields.size, 124, 12);
  octal(fields.mtime, 136, 12);
  header.write(fields.flag, 156, 'latin1');
  header.write(fields.link ?? '', 157, 100);
  header.write('ustar\x0000', 257, 'latin1');
  octal(fields.major ?? 0, 329, 8);
  octal(fields.minor ?? 0, 337, 8);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

// A record states its own length, which includes the digits of that length.
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

function compress(tar: Buffer, compression: 'gzip' | 'zstd' | 'none'): Buffer {
  if (compression === 'none') return tar;
  return compression === 'gzip' ? gzipSync(tar, { level: 1 }) : zstdCompressSync(tar);
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function blobOf(mediaType: string, bytes: Buffer): TestBlob {
  return { mediaType, digest: digestOf(bytes), bytes };
}

export function jsonBlob(mediaType: string, value: unknown): TestBlob {
  return blobOf(mediaType, Buffer.from(JSON.stringify(value)));
}

export function descriptorOf(blob: TestBlob): { mediaType: string; digest: string; size: number } {
  return { mediaType: blob.mediaType, digest: blob.digest, size: blob.bytes.length };
}

async function putManifest(registry: Registry, repository: string, reference: string, manifest: TestBlob): Promise<void> {
  await registryRequest(registry, { method: 'PUT', path: `/v2/${repository}/manifests/${reference}`, body: manifest.bytes, type: manifest.mediaType });
}
