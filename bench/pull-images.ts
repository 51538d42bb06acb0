/**
 * Images to measure pulls with. Their files are those of this machine's /usr: real programs, texts and links, as images have them. Every
 * round gets images of its own: layers that were removed and are unpacked again cost ext4 many seconds, whoever unpacks them.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { constants, gzip, gzipSync, zstdCompress, zstdCompressSync } from 'node:zlib';
import { blobOf, descriptorOf, digestOf, jsonBlob, pushImage, tarOf } from '../test/support/image.ts';
import type { TestBlob, TestEntry, TestImage } from '../test/support/image.ts';
import type { Registry } from '../test/support/registry.ts';

export type Compression = 'gzip' | 'zstd';

/** A layer without its end: what a round adds makes it a layer that nobody has yet. */
interface LayerBody {
  readonly bytes: Buffer;
  readonly tar: Hash;
  readonly blob: Hash;
}

export interface ImageBody {
  readonly compression: Compression;
  readonly layers: readonly LayerBody[];
  readonly unpackedBytes: number;
  readonly files: number;
}

/** How an image's bytes are spread over its layers: a big base, and ever smaller ones, as builds make them. */
export const layerShares: readonly number[] = [0.38, 0.25, 0.15, 0.1, 0.06, 0.03, 0.02, 0.01];

/** Larger files than this are left out: few images have them. */
const largestFile = 24 << 20;

/** Compresses the tars of an image (levels as builders use them); `makeRoundImage` makes images of it. */
export async function makeImageBody(layers: readonly (readonly TestEntry[])[], compression: Compression): Promise<ImageBody> {
  const bodies: LayerBody[] = [];
  let unpackedBytes = 0;
  for (const entries of layers) {
    const tar = tarOf(entries).subarray(0, -1024); // the end marker comes with the round
    const bytes = compression === 'gzip' ? await promisify(gzip)(tar, { level: 6 }) : await promisify(zstdCompress)(tar, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
    bodies.push({ bytes, tar: createHash('sha256').update(tar), blob: createHash('sha256').update(bytes) });
    unpackedBytes += tar.length;
  }
  return { compression, layers: bodies, unpackedBytes, files: layers.reduce((sum, entries) => sum + entries.length, 0) };
}

/** Pushes an image of this body that shares no layer with those of other rounds, and returns its reference. */
export async function pushRoundImage(registry: Registry, body: ImageBody, name: string): Promise<string> {
  const layers = body.layers.map((layer, index) => finishLayer(layer, body.compression, `${name} ${index}`));
  const config = jsonBlob('application/vnd.oci.image.config.v1+json', {
    os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    config: {}, rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) }, history: [],
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const top = jsonBlob(mediaType, { schemaVersion: 2, mediaType, config: descriptorOf(config), layers: layers.map(({ blob }) => descriptorOf(blob)) });
  const image: TestImage = { id: config.digest, top, manifests: [], blobs: [config, ...layers.map(({ blob }) => blob)], diffIds: layers.map(({ diffId }) => diffId) };
  return await pushImage(registry, name, image);
}

/** Adds a file that says which round it is, and the end marker, as one more gzip member or zstd frame. */
function finishLayer(layer: LayerBody, compression: Compression, mark: string): { blob: TestBlob; diffId: string } {
  const end = tarOf([{ path: `.round-${digestOf(Buffer.from(mark)).slice(-12)}`, content: mark }]);
  const compressed = compression === 'gzip' ? gzipSync(end) : zstdCompressSync(end);
  const diffId = `sha256:${layer.tar.copy().update(end).digest('hex')}`;
  return { blob: blobOf(`application/vnd.oci.image.layer.v1.tar+${compression}`, Buffer.concat([layer.bytes, compressed])), diffId };
}

/** What a layer is made of: text and small files, libraries, programs. */
const sources = [['usr/share', 0.4], ['usr/lib', 0.4], ['usr/bin', 0.2]] as const;

/** The tar entries of an image of about so many bytes, taken from /usr in the order of its names. */
export function entriesOfUsr(bytes: number): TestEntry[][] {
  const walks = sources.map(([directory, part]) => ({ directory, part, entries: walk(directory) }));
  return layerShares.map((share) => walks.flatMap(({ directory, part, entries }) => takeFrom(entries, { bytes: bytes * share * part, directory })));
}

function takeFrom(entries: Generator<TestEntry, void>, { bytes, directory }: { bytes: number; directory: string }): TestEntry[] {
  const taken: TestEntry[] = [];
  for (let size = 0; size < bytes;) {
    const next = entries.next();
    if (next.done === true) throw new Error(`/${directory} of this machine has too few files for an image of this size: ask for a smaller one`);
    taken.push(next.value);
    size += 512 + (next.value.content?.length ?? 0);
  }
  return taken;
}

function* walk(directory: string): Generator<TestEntry, void> {
  for (const { name } of readdirSync(`/${directory}`, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = `${directory}/${name}`;
    const found = lstatSync(`/${path}`);
    const common = { path, mode: found.mode & 0o7777, uid: found.uid, gid: found.gid, mtime: Math.floor(found.mtimeMs / 1000) };
    if (found.isDirectory()) {
      yield { ...common, type: 'directory' };
      yield* walk(path);
    } else if (found.isSymbolicLink()) yield { ...common, type: 'symlink', link: readlinkSync(`/${path}`) };
    else if (found.isFile() && found.size <= largestFile) yield { ...common, content: readFileSync(`/${path}`) };
  }
}
