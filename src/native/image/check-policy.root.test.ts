/** The signature policy, pulling from a real registry what GnuPG and a cosign key signed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { blobOf, descriptorOf, jsonBlob, makeImage, makeIndex, pushImage } from '../../../test/support/image.ts';
import type { TestImage } from '../../../test/support/image.ts';
import { startRegistry } from '../../../test/support/registry.ts';
import type { Registry } from '../../../test/support/registry.ts';
import { silentLogger } from '../../base/log.ts';
import { Stages } from '../../base/stages.ts';
import { openStore } from '../../part/store/store.ts';
import { createImageEngine } from './image-engine.ts';
import type { NativeImageEngine } from './image-engine.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const directory = skip === false ? mkdtempSync(join(tmpdir(), 'gantry-trust-')) : '';
const at = (...names: string[]): string => join(directory, ...names);
const image = makeImage({ layers: [[{ path: 'motd', content: 'hello' }]] });
const closing: (() => Promise<void> | void)[] = [];
let registry: Registry;
let engine: NativeImageEngine;
let app: string;

before(async () => {
  if (skip !== false) return;
  for (const folder of ['stores', 'lookaside', 'gpg']) mkdirSync(at(folder), { mode: 0o700 });
  for (const name of ['ours', 'theirs']) {
    gpg('--passphrase', '', '--quick-generate-key', `${name}@example.org`, 'ed25519', 'sign', 'never');
    writeFileSync(at(`${name}.gpg`), gpg('--export', `${name}@example.org`));
  }
  registry = await startRegistry();
  app = `${registry.host}/team/app`;
  await pushImage(registry, 'team/app:v1', image);
  const store = openStore(at('gantry.db'));
  engine = createImageEngine({
    root: directory, store, log: silentLogger, usedBy: () => [], containerFilesystems: async () => [],
    trustFiles: { policy: { path: at('policy.json'), optional: true }, signatureStores: at('stores') },
  });
  await engine.recover();
  closing.push(() => engine.close(), () => store.close(), () => registry.stop());
});

after(async () => {
  if (skip !== false) return;
  for (const close of closing) await close();
  execFileSync('gpgconf', ['--homedir', at('gpg'), '--kill', 'all']);
  rmSync(directory, { recursive: true });
});

function gpg(...args: string[]): Buffer {
  return execFileSync('gpg', ['--homedir', at('gpg'), '--batch', '--quiet', '--yes', '--pinentry-mode', 'loopback', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

const claim = (type: string, digest: string, reference: string): string =>
  JSON.stringify({ critical: { type, image: { 'docker-manifest-digest': digest }, identity: { 'docker-reference': reference } }, optional: null });

/** A simple signature by a GnuPG key, as `skopeo standalone-sign` makes it. */
function simple(digest: string, reference: string, { by = 'ours' } = {}): Buffer {
  writeFileSync(at('claim'), claim('atomic container signature', digest, reference));
  return gpg('--local-user', `${by}@example.org`, '--output', '-', '--sign', at('claim'));
}

/** Puts the signatures of a manifest into the store, in place of those that were there. */
function putSimple(digest: string, ...signatures: Buffer[]): void {
  const folder = at('lookaside', 'team', `app@${digest.replace(':', '=')}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [index, signature] of signatures.entries()) writeFileSync(join(folder, `signature-${index + 1}`), signature);
}

/** Attaches cosign signatures to a manifest of `team/app`. */
async function attach(signedDigest: string, ...signed: { payload: string; by: KeyObject }[]): Promise<void> {
  const payloads = signed.map(({ payload }) => blobOf('application/vnd.dev.cosign.simplesigning.v1+json', Buffer.from(payload)));
  const annotations = signed.map(({ payload, by }) => ({ 'dev.cosignproject.cosign/signature': sign('sha256', Buffer.from(payload), by).toString('base64') }));
  const config = jsonBlob('application/vnd.oci.image.config.v1+json', {});
  const layers = payloads.map((blob, index) => ({ ...descriptorOf(blob), annotations: annotations[index] }));
  const top = jsonBlob('application/vnd.oci.image.manifest.v1+json', { schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config: descriptorOf(config), layers });
  await pushImage(registry, `team/app:${signedDigest.replace(':', '-')}.sig`, { id: '', top, manifests: [], blobs: [config, ...payloads], diffIds: [] });
}

function writePolicy(requirements: readonly unknown[], scope = app): void {
  writeFileSync(at('policy.json'), JSON.stringify({ default: [{ type: 'reject' }], transports: { docker: { [scope]: requirements } } }));
}

const writeStores = (text: string): void => writeFileSync(at('stores', 'all.yaml'), text);
const inFolder = (): void => writeStores(`docker:\n  ${registry.host}:\n    lookaside: file://${at('lookaside')}\n`);

async function pull(reference: string): Promise<string> {
  return await engine.pull(
    { image: { image: reference, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' }, auth: undefined, podConfig: undefined },
    { id: 'test', signal: new AbortController().signal, stages: new Stages(), log: silentLogger },
  );
}

const refused = (message: RegExp) => ({ kind: 'failed-precondition', criReason: 'SignatureValidationFailed', message });
const signedBy = (more: Record<string, unknown> = {}) => ({ type: 'signedBy', keyType: 'GPGKeys', keyPath: at('ours.gpg'), ...more });
const { digest } = image.top;
const v1 = (): string => `${app}:v1`;

test('without a policy everything is pulled, and with one that cannot be read nothing', { skip }, async () => {
  assert.equal(await pull(v1()), image.id);

  writeFileSync(at('policy.json'), '{"default": [{"type": "insecureAcceptAnything"}], }');
  await assert.rejects(pull(v1()), { kind: 'failed-precondition', criReason: undefined, message: /^pull image .*: read signature policy .*policy\.json: .*JSON.*no image is taken until it is mended$/ });
});

test('an image of a rejected scope is refused, also when it is here already', { skip }, async () => {
  writePolicy([{ type: 'insecureAcceptAnything' }]);
  assert.equal(await pull(v1()), image.id);

  writePolicy([{ type: 'reject' }], registry.host);
  await assert.rejects(pull(v1()), refused(/check signature policy .*policy\.json: scope 127\.0\.0\.1:\d+ of the docker transport, requirement 1 \(reject\): images such as .*app:v1 are not to be pulled$/));
  writePolicy([{ type: 'insecureAcceptAnything' }], 'other.example');
  await assert.rejects(pull(v1()), refused(/the default, requirement 1 \(reject\)/));
});

test('signedBy takes an image that GnuPG signed with the key, for the name, and no other', { skip }, async () => {
  inFolder();
  writePolicy([signedBy()]);
  const good = simple(digest, v1());
  const other = `sha256:${'ab'.repeat(32)}`;
  const tampered = Buffer.from(good);
  tampered[tampered.length - 3]! ^= 1;
  const cases: [name: string, signatures: Buffer[], refusal: RegExp | undefined][] = [
    ['none', [], /requirement 1 \(signedBy\): there is no signature of the manifest sha256:[0-9a-f]+ in file:.*lookaside\/team\/app@sha256=[0-9a-f]+$/],
    ['by another key', [simple(digest, v1(), { by: 'theirs' })], /none of 1 signatures .* is accepted: it is made with the key [0-9A-F]{16}, which is none of those that are trusted/],
    ['for another tag', [simple(digest, `${app}:v2`)], /it is for ".*app:v2", which matchRepoDigestOrExact does not accept for .*app:v1/],
    ['of another manifest', [simple(other, v1())], /it is for another manifest, sha256:abab/],
    ['tampered', [tampered], /is accepted: /],
    ['nonsense', [Buffer.from('nonsense')], /is accepted: /],
    ['good', [good], undefined],
    ['the second is good', [simple(digest, v1(), { by: 'theirs' }), good], undefined],
  ];
  for (const [name, signatures, refusal] of cases) {
    putSimple(digest, ...signatures);
    if (refusal === undefined) assert.equal(await pull(v1()), image.id, name);
    else await assert.rejects(pull(v1()), refused(refusal), name);
  }
  assert.equal(await pull(`${app}@${digest}`), image.id, 'by digest the repository suffices');
});

test('all requirements must hold, and of several keys any will do', { skip }, async () => {
  inFolder();
  putSimple(digest, simple(digest, v1()));
  const keyPaths = [at('theirs.gpg'), at('ours.gpg')];

  writePolicy([signedBy({ keyPath: undefined, keyPaths })]);
  assert.equal(await pull(v1()), image.id);
  writePolicy([signedBy(), signedBy({ keyPath: at('theirs.gpg') })]);
  await assert.rejects(pull(v1()), refused(/requirement 2 \(signedBy\)/));
  putSimple(digest, simple(digest, v1()), simple(digest, v1(), { by: 'theirs' }));
  assert.equal(await pull(v1()), image.id);
  writePolicy([signedBy({ keyPath: at('nowhere.gpg') })]);
  await assert.rejects(pull(v1()), refused(/the key .*nowhere\.gpg can't be read: ENOENT/));
});

test('signatures are fetched from a web server too, one after the other', { skip }, async () => {
  const good = simple(digest, v1());
  const asked: string[] = [];
  let status = 404;
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    if (url.startsWith('/moved')) response.writeHead(302, { location: url.slice('/moved'.length) }).end();
    else if (url.endsWith('/signature-1')) response.writeHead(200, { 'content-length': good.length }).end(good);
    else response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => void server.closeAllConnections(), () => void server.close());
  writeStores(`default-docker:\n  lookaside: http://127.0.0.1:${(server.address() as AddressInfo).port}/moved/sig\n`);
  writePolicy([signedBy()]);

  assert.equal(await pull(v1()), image.id);

  assert.deepEqual(asked.filter((url) => !url.startsWith('/moved')), [1, 2].map((n) => `/sig/team/app@${digest.replace(':', '=')}/signature-${n}`));
  status = 503;
  await assert.rejects(pull(v1()), { kind: 'unavailable', message: /get signature .*signature-2: .* answers 503/ });
});

test('a store with too many or too large signatures, or with something else in their place, is refused', { skip }, async () => {
  inFolder();
  writePolicy([signedBy()]);
  const refusals: [prepare: () => void, message: RegExp][] = [
    [() => putSimple(digest, ...Array.from({ length: 129 }, () => Buffer.from('x'))), /there are more than 128$/],
    [() => putSimple(digest, Buffer.alloc((64 << 10) + 1)), /signature-1: it has 65537 bytes, and at most 65536 are read/],
    [() => { putSimple(digest); symlinkSync('/dev/zero', at('lookaside', 'team', `app@${digest.replace(':', '=')}`, 'signature-1')); }, /signature-1: it is not a (?:regular )?file/],
  ];
  for (const [prepare, message] of refusals) {
    prepare();
    await assert.rejects(pull(v1()), { kind: 'failed-precondition', message });
  }
});

test('of an index the chosen manifest must be signed, not the index', { skip }, async () => {
  inFolder();
  writePolicy([signedBy()]);
  const chosen = makeImage({ layers: [[{ path: 'motd', content: 'multi' }]] });
  const index: TestImage = makeIndex([{ image: chosen, platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch } }]);
  await pushImage(registry, 'team/app:multi', index);

  putSimple(index.top.digest, simple(index.top.digest, `${app}:multi`));
  await assert.rejects(pull(`${app}:multi`), refused(/there is no signature of the manifest sha256:[0-9a-f]+, which was chosen from the index sha256:[0-9a-f]+ and needs a signature of its own, in file:/));
  putSimple(chosen.top.digest, simple(chosen.top.digest, `${app}:multi`));
  assert.equal(await pull(`${app}:multi`), chosen.id);
});

test('sigstoreSigned takes an image with an attached signature by a cosign key, where attachments are on', { skip }, async () => {
  const [ours, theirs] = [generateKeyPairSync('ec', { namedCurve: 'P-256' }), generateKeyPairSync('ec', { namedCurve: 'P-256' })];
  const pem = ours.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  writeFileSync(at('cosign.pub'), pem);
  const policy = (more: Record<string, unknown> = {}): void => writePolicy([{ type: 'sigstoreSigned', keyPath: at('cosign.pub'), signedIdentity: { type: 'matchRepository' }, ...more }]);
  const ofUs = claim('cosign container image signature', digest, app);
  policy();

  inFolder();
  await assert.rejects(pull(v1()), refused(/there is no signature of the manifest .*\.sig \(not looked for: use-sigstore-attachments is not on for it in .*stores\)$/));
  writeStores(`docker:\n  ${registry.host}:\n    use-sigstore-attachments: true\n`);
  await assert.rejects(pull(v1()), refused(/requirement 1 \(sigstoreSigned\): there is no signature of the manifest sha256:[0-9a-f]+ in .*app:sha256-[0-9a-f]+\.sig$/));
  await attach(digest, { payload: ofUs, by: theirs.privateKey });
  await assert.rejects(pull(v1()), refused(/none of 1 signatures .*: it is not made with a key that is trusted$/));
  await attach(digest, { payload: claim('cosign container image signature', digest, `${registry.host}/team/other`), by: ours.privateKey });
  await assert.rejects(pull(v1()), refused(/it is for ".*team\/other", which matchRepository does not accept/));
  await attach(digest, { payload: ofUs, by: theirs.privateKey }, { payload: ofUs, by: ours.privateKey });
  assert.equal(await pull(v1()), image.id);

  policy({ keyPath: undefined, keyData: Buffer.from(pem).toString('base64') });
  assert.equal(await pull(v1()), image.id);
  policy({ signedIdentity: undefined });
  await assert.rejects(pull(v1()), refused(/it is for ".*team\/app", which matchRepoDigestOrExact does not accept/));
  policy({ rekorPublicKeyPath: at('cosign.pub') });
  await assert.rejects(pull(v1()), refused(/requirement 1 \(sigstoreSigned\): proof of an entry in a transparency log \(rekorPublicKeyPath\) is not supported$/));
});

test('nothing of a refused image is left behind', { skip }, async () => {
  const fresh = makeImage({ layers: [[{ path: 'motd', content: 'never here' }]] });
  const reference = await pushImage(registry, 'team/app:fresh', fresh);
  writePolicy([{ type: 'reject' }]);

  await assert.rejects(pull(reference), refused(/reject/));

  assert.equal((await engine.list(undefined)).some(({ id }) => id === fresh.id), false);
  assert.throws(() => engine.resolve(reference));
});
