import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { plainName, readPlainName } from './names.fake.ts';
import { chooseArchiveScopes, chooseScope, parsePolicy, readPolicy } from './policy.ts';
import type { ArchiveTransport, Requirement } from './policy.ts';

const reject = [{ type: 'reject' }];
const accept = [{ type: 'insecureAcceptAnything' }];
const parse = (document: unknown) => parsePolicy(typeof document === 'string' ? document : JSON.stringify(document), '/policy.json', readPlainName);
const requirement = (value: unknown): Requirement => parse({ default: [value] }).fallback[0]!;
const hex = 'ab'.repeat(32);

test('the narrowest scope that the policy names counts, alone', () => {
  const all = ['reg.example:5000/team/app:v1', `reg.example:5000/team/app@sha256:${hex}`, 'reg.example:5000/team/app', 'reg.example:5000/team', 'reg.example:5000', '*.example', ''];
  const cases: [image: string, without: string[], scope: string][] = [
    ['reg.example:5000/team/app:v1', [], 'scope reg.example:5000/team/app:v1 of'],
    [`reg.example:5000/team/app@sha256:${hex}`, [], `scope reg.example:5000/team/app@sha256:${hex} of`],
    ['reg.example:5000/team/app:v2', [], 'scope reg.example:5000/team/app of'],
    ['reg.example:5000/team/app2:v1', [], 'scope reg.example:5000/team of'],
    ['reg.example:5000/teams/app:v1', [], 'scope reg.example:5000 of'],
    ['reg.example:5000/x:v1', ['reg.example:5000'], 'scope *.example of'],
    ['reg.example/x:v1', [], 'scope *.example of'],
    ['a.b.example/x:v1', [], 'scope *.example of'],
    ['example/x:v1', [], 'the default of the docker transport'],
    ['other.org/x:v1', [], 'the default of the docker transport'],
    ['other.org/x:v1', [''], 'the default'],
  ];
  for (const [image, without, scope] of cases) {
    const docker = Object.fromEntries(all.filter((name) => !without.includes(name)).map((name) => [name, accept]));
    const chosen = chooseScope(parse({ default: reject, transports: { docker } }), plainName(image));
    assert.ok(chosen.scope.startsWith(scope), `${image}: ${chosen.scope}`);
    assert.equal(chosen.requirements[0]?.type, scope === 'the default' ? 'reject' : 'insecureAcceptAnything');
  }
});

test('scopes of other transports are for nobody here', () => {
  const policy = parse({ default: reject, transports: { 'docker-daemon': { '': accept }, dir: { '/': accept } } });

  assert.deepEqual(chooseScope(policy, plainName('reg.example/x:v1')), { scope: 'the default', requirements: [{ type: 'reject' }] });
});

test('an archive is held against the defaults of its transports that the policy names, else against the default', () => {
  const layout: ArchiveTransport[] = ['oci-archive', 'oci'];
  const cases: [transports: Record<string, unknown>, archive: ArchiveTransport[], scopes: string[]][] = [
    [{}, ['docker-archive'], ['the default reject']],
    [{ docker: { '': accept }, 'docker-daemon': { '': accept } }, ['docker-archive'], ['the default reject']],
    [{ 'docker-archive': { '': accept } }, ['docker-archive'], ['the default of the docker-archive transport insecureAcceptAnything']],
    [{ 'docker-archive': { '': accept } }, layout, ['the default reject']],
    [{ 'oci-archive': { '': accept } }, layout, ['the default of the oci-archive transport insecureAcceptAnything']],
    [{ 'oci-archive': { '': accept }, oci: { '': reject } }, layout, ['the default of the oci-archive transport insecureAcceptAnything', 'the default of the oci transport reject']],
    [{ 'oci-archive': { '/images/good.tar': accept }, oci: { '/images': accept } }, layout, ['the default reject']],
  ];
  for (const [transports, archive, scopes] of cases) {
    const chosen = chooseArchiveScopes(parse({ default: reject, transports }), archive);
    assert.deepEqual(chosen.map(({ scope, requirements }) => `${scope} ${requirements[0]?.type}`), scopes);
  }
});

test('requirements are read with their keys and the identity that they want', () => {
  const files = requirement({ type: 'signedBy', keyType: 'GPGKeys', keyPaths: ['/a.gpg', '/b.gpg'] });
  const data = requirement({ type: 'sigstoreSigned', keyDatas: ['YQ==', 'Yg=='], signedIdentity: { type: 'matchRepository' } });

  assert.ok(files.type === 'signedBy' && data.type === 'sigstoreSigned');
  assert.deepEqual([files.keys, files.identity.rule], [{ paths: ['/a.gpg', '/b.gpg'], datas: [] }, 'matchRepoDigestOrExact']);
  assert.deepEqual([data.keys, data.identity.rule], [{ paths: [], datas: [Buffer.from('a'), Buffer.from('b')] }, 'matchRepository']);
});

test('a requirement that is well formed but not verified here is kept, and named', () => {
  const cases: [value: Record<string, unknown>, what: RegExp][] = [
    [{ type: 'signedBaseLayer', baseLayerIdentity: { type: 'matchExact' } }, /^base layers are not verified$/],
    [{ type: 'signedBy', keyType: 'signedByX509CAs', keyPath: '/k' }, /^keys of the type signedByX509CAs are not supported/],
    [{ type: 'sigstoreSigned', fulcio: { caPath: '/ca', oidcIssuer: 'https://i', subjectEmail: 'a@b' }, rekorPublicKeyPath: '/r' }, /\(fulcio\) are not supported/],
    [{ type: 'sigstoreSigned', pki: { caRootsPath: '/ca', subjectEmail: 'a@b' } }, /\(pki\) are not supported/],
    [{ type: 'sigstoreSigned', keyPath: '/k', rekorPublicKeyData: 'YQ==' }, /\(rekorPublicKeyData\) is not supported/],
  ];
  for (const [value, what] of cases) {
    const read = requirement(value);
    assert.equal(read.type, 'unsupported');
    assert.match(read.type === 'unsupported' ? read.what : '', what);
  }
});

test('a policy that is not quite right is refused as a whole, with the place', () => {
  const signedBy = { type: 'signedBy', keyType: 'GPGKeys', keyPath: '/k' };
  const withIdentity = (signedIdentity: unknown) => ({ default: [{ ...signedBy, signedIdentity }] });
  const cases: [document: unknown, message: RegExp][] = [
    ['', /JSON/],
    ['{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}', /the key "default" stands twice/],
    [[], /the document: want an object/],
    [{}, /default: want a list with at least one requirement, found nothing/],
    [{ default: [] }, /default: want a list with at least one requirement/],
    [{ default: accept, transport: {} }, /transport is not known: known are default, transports/],
    [{ default: accept, transports: { docker: { 'reg.example': [] } } }, /transports\.docker\.reg\.example: want a list/],
    [{ default: accept, transports: { dir: { '': [{ type: 'accept' }] } } }, /transports\.dir\.\[0\]\.type: want insecureAcceptAnything, reject, signedBy or sigstoreSigned, found "accept"/],
    [{ default: [{ type: 'reject', keyPath: '/k' }] }, /default\[0\]\.keyPath is not known/],
    [{ default: [{ type: 'signedBy', keyPath: '/k' }] }, /keyType: want a text, found nothing/],
    [{ default: [{ ...signedBy, keyType: 'PGP' }] }, /keyType: want GPGKeys, found "PGP"/],
    [{ default: [{ type: 'signedBy', keyType: 'GPGKeys' }] }, /default\[0\]: want exactly one of keyPath, keyPaths, keyData/],
    [{ default: [{ ...signedBy, keyData: 'YQ==' }] }, /want exactly one of/],
    [{ default: [{ type: 'sigstoreSigned', keyPaths: [] }] }, /keyPaths: want at least one key/],
    [{ default: [{ type: 'sigstoreSigned', keyData: 'not base64' }] }, /keyData: want a key in base64/],
    [{ default: [{ type: 'sigstoreSigned', keyPath: '/k', fulcio: {} }] }, /want exactly one of keyPath, keyPaths, keyData, keyDatas, fulcio, pki/],
    [{ default: [{ type: 'sigstoreSigned', keyPath: '/k', rekorPublicKeyPath: '/a', rekorPublicKeyData: 'YQ==' }] }, /want at most one of rekor/],
    [withIdentity({ type: 'any' }), /signedIdentity\.type: want matchExact, /],
    [withIdentity({ type: 'matchExact', dockerReference: 'a' }), /dockerReference is not known/],
    [withIdentity({ type: 'exactReference', dockerReference: 'reg.example/app' }), /dockerReference: want a name with a tag or digest/],
    [withIdentity({ type: 'exactRepository', dockerRepository: 'UPPER' }), /dockerRepository: want the name of a repository/],
    [withIdentity({ type: 'remapIdentity', prefix: 'reg.example', signedPrefix: 'https://x' }), /signedPrefix: want a host, with or without a path/],
  ];
  for (const [document, message] of cases) assert.throws(() => parse(document), message, JSON.stringify(document));
});

test('no policy at the usual place is none; one that was asked for must be there, and be readable', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-policy-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'policy.json');
  const refusal = (why: RegExp) => ({ kind: 'failed-precondition', message: why });

  assert.equal(await readPolicy({ path, optional: true }, readPlainName), undefined);
  await assert.rejects(readPolicy({ path, optional: false }, readPlainName), refusal(/^read signature policy .*policy\.json: ENOENT.*; no image is taken until it is mended$/));
  await assert.rejects(readPolicy({ path: folder, optional: true }, readPlainName), refusal(/is not a regular file; no image is taken/));
  symlinkSync('nowhere', path);
  await assert.rejects(readPolicy({ path, optional: true }, readPlainName), refusal(/ENOENT.*; no image is taken/), 'a link that leads nowhere');
  unlinkSync(path);
  writeFileSync(path, '{"default":');
  await assert.rejects(readPolicy({ path, optional: true }, readPlainName), refusal(/policy\.json: .*JSON.*; no image is taken/));
  writeFileSync(path, ' '.repeat((1 << 20) + 1));
  await assert.rejects(readPolicy({ path, optional: true }, readPlainName), refusal(/has 1048577 bytes, and at most 1048576 are read/));
});
