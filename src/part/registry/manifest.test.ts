import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseManifest } from './manifest.ts';
import { choosePlatform, platformRank } from './platform.ts';

const digest = `sha256:${'1'.repeat(64)}`;
const oci = { manifest: 'application/vnd.oci.image.manifest.v1+json', index: 'application/vnd.oci.image.index.v1+json', config: 'application/vnd.oci.image.config.v1+json' };
const config = { mediaType: oci.config, digest, size: 10 };
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: 20 };
const manifest = { schemaVersion: 2, mediaType: oci.manifest, config, layers: [layer] };

function parse(document: unknown, contentType = ''): ReturnType<typeof parseManifest> {
  return parseManifest(Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)), contentType, 'app:v1');
}

test('a manifest and an index are read, whatever the registry serves them as', () => {
  const index = { schemaVersion: 2, manifests: [{ mediaType: oci.manifest, digest, size: 3, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } }] };

  assert.deepEqual(parse(manifest, oci.manifest), { kind: 'manifest', config, layers: [layer] });
  assert.equal(parse(manifest, 'application/json').kind, 'manifest');
  assert.equal(parse({ ...manifest, mediaType: undefined }, `${oci.manifest}; charset=utf-8`).kind, 'manifest');
  assert.equal(parse(index, 'text/plain').kind, 'index');
});

test('the urls of a foreign layer are not even read', () => {
  const parsed = parse({ ...manifest, layers: [{ ...layer, urls: ['https://evil.example/x'] }] });

  assert.ok(!JSON.stringify(parsed).includes('evil'));
});

test('what is not plainly an image is refused', () => {
  const refusals: [document: unknown, contentType: string, why: RegExp][] = [
    [{ ...manifest, manifests: [] }, oci.manifest, /ambiguous/],
    [{ schemaVersion: 2, manifests: [], layers: [] }, oci.index, /ambiguous/],
    [manifest, oci.index, /says it is .*manifest.*, but is served as .*index/],
    [{ ...manifest, mediaType: undefined }, oci.index, /content is something else/],
    [{ schemaVersion: 1, fsLayers: [] }, 'application/vnd.docker.distribution.manifest.v1+prettyjws', /schema 1/],
    [{ ...manifest, mediaType: 'text/html' }, '', /media type "text\/html"/],
    [{ ...manifest, config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' } }, '', /artifact of type/],
    [{ ...manifest, config: { ...config, digest: '../../etc/passwd' } }, '', /config has no sha256 digest/],
    [{ ...manifest, layers: [{ ...layer, size: -1 }] }, '', /layer 0 has no valid size/],
    [{ ...manifest, layers: [{ ...layer, mediaType: `${layer.mediaType}+encrypted` }] }, '', /encrypted/],
    [{ ...manifest, layers: Array.from({ length: 501 }, () => layer) }, '', /501 layers/],
    [{ ...manifest, layers: {} }, '', /layers is missing or not a list/],
    ['<html>', 'text/html', /not JSON/],
    ['[]', '', /not a JSON object/],
  ];

  for (const [document, contentType, why] of refusals) assert.throws(() => parse(document, contentType), (error: Error & { kind?: string }) => error.kind === 'failed-precondition' && why.test(error.message), why.source);
});

test('a digest that is a path, or anything but a digest, names nothing (CVE-2024-3727)', () => {
  const hex = 'a'.repeat(64);
  const broken = ['../../etc/passwd', `sha256:../../${'a'.repeat(58)}`, `sha256:${hex}/..`, `sha256:${hex.slice(1)}`, `sha256:${hex.toUpperCase()}`, `sha256:${hex}\n`, hex, 'md5:d41d8cd98f00b204e9800998ecf8427e', '', null, 7];

  for (const digest of broken) {
    assert.throws(() => parse({ ...manifest, layers: [{ ...layer, digest }] }, ''), { kind: 'failed-precondition', message: /layer 0 has no sha256 digest/ }, String(digest));
  }
});

test('the best fitting platform is chosen', () => {
  const on = (architecture: string, variant?: string) => ({ platform: { os: 'linux', architecture, variant } });
  const arm = [on('arm', 'v5'), on('arm', 'v6'), on('arm64', 'v8'), on('amd64'), { platform: { os: 'windows', architecture: 'amd64' } }, { platform: undefined }];

  assert.equal(choosePlatform({ os: 'linux', architecture: 'arm', variant: 'v7' }, arm), arm[1]);
  assert.equal(choosePlatform({ os: 'linux', architecture: 'arm64' }, arm), arm[2]);
  assert.equal(choosePlatform({ os: 'linux', architecture: 'amd64' }, arm), arm[3]);
  assert.equal(choosePlatform({ os: 'linux', architecture: 's390x' }, arm), undefined);
  assert.equal(platformRank({ os: 'linux', architecture: 'amd64' }, { os: 'linux', architecture: 'amd64', variant: 'v3' }), undefined);
});
