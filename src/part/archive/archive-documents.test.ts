/** The documents of both formats: what is written is read back, and what is malformed is refused in plain words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDigest } from '../../base/digest.ts';
import { formatDockerManifest, parseDockerManifest } from './docker-archive.ts';
import { blobName, checkLayoutVersion, formatLayoutIndex, formatLayoutVersion, formatManifest, parseLayoutIndex } from './oci-layout.ts';

const digest = parseDigest(`sha256:${'a'.repeat(64)}`);
const json = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

function refuses(read: (bytes: Buffer) => unknown, rows: readonly [document: unknown, why: RegExp][]): void {
  for (const [document, why] of rows) {
    assert.throws(() => read(json(document)), (error: Error & { kind?: string }) => error.kind === 'failed-precondition' && why.test(error.message), why.source);
  }
}

test("Docker's list of images", () => {
  const images = [{ config: 'a.json', layers: ['b.tar', 'c.tar'], repoTags: ['docker.io/library/app:1'] }, { config: 'b.json', layers: [], repoTags: [] }];

  assert.deepEqual(parseDockerManifest(formatDockerManifest(images)), images);
  assert.deepEqual(parseDockerManifest(json([{ Config: 'a.json', RepoTags: null, Layers: null, LayerSources: {} }])), [{ config: 'a.json', layers: [], repoTags: [] }]);
  refuses(parseDockerManifest, [
    ['{', /entry "manifest.json": it is not JSON/],
    [{}, /it is not a list of images/],
    [[null], /it is not a list of images/],
    [[], /it names no image/],
    [[{ Layers: [] }], /an image has no Config/],
    [[{ Config: 'a', Layers: 'b' }], /Layers of an image is not a list of names/],
    [[{ Config: 'a', RepoTags: [1] }], /RepoTags of an image is not a list of names/],
  ]);
});

test('the index of an OCI layout', () => {
  const index = formatLayoutIndex([{ digest, size: 3, names: ['docker.io/library/app:1', 'x.io/app:2'] }, { digest, size: 3, names: [] }]);

  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  assert.deepEqual(parseLayoutIndex(index), ['docker.io/library/app:1', 'x.io/app:2', undefined].map((name) => ({ mediaType, digest, size: 3, platform: undefined, name })));
  assert.deepEqual(parseLayoutIndex(json({ manifests: [{ digest, size: 1, platform: { os: 'linux', architecture: 'arm', variant: 'v7' }, annotations: { 'org.opencontainers.image.ref.name': 'v1', 'io.containerd.image.name': 'x.io/a:v1' } }] })), [
    { mediaType: '', digest, size: 1, platform: { os: 'linux', architecture: 'arm', variant: 'v7' }, name: 'x.io/a:v1' },
  ]);
  refuses(parseLayoutIndex, [
    ['[', /entry "index.json": it is not JSON/],
    [[], /it is not an index of images/],
    [{ manifests: {} }, /it is not an index of images/],
    [{ manifests: [], config: {} }, /it is not an index of images/],
    [{ manifests: [] }, /it names no image/],
    [{ manifests: ['x'] }, /an image of it is not an object/],
    [{ manifests: [{ digest: 'sha512:aa', size: 1 }] }, /an image of it has no sha256 digest/],
    [{ manifests: [{ digest, size: 1.5 }] }, /sha256:a+ has no valid media type and size/],
    [{ manifests: [{ digest, size: 1, mediaType: 3 }] }, /has no valid media type and size/],
  ]);
});

test('the version of an OCI layout', () => {
  checkLayoutVersion(formatLayoutVersion());
  refuses(checkLayoutVersion, [
    ['', /entry "oci-layout": it is not JSON/],
    [{}, /the version of its layout is not stated, known is 1.0.0/],
    [{ imageLayoutVersion: '2.0.0' }, /the version of its layout is "2.0.0"/],
  ]);
});

test('a manifest of uncompressed layers', () => {
  assert.deepEqual(JSON.parse(formatManifest({ digest, size: 9 }, [{ digest, size: 10 }]).toString()), {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 9 },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: 10 }],
  });
  assert.equal(blobName(digest), `blobs/sha256/${'a'.repeat(64)}`);
});
