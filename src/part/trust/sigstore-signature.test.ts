import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { isSignedByOne, parseAttachments, readPublicKey } from './sigstore-signature.ts';

const payload = Buffer.from('{"critical":{}}');
const pem = (key: KeyObject, type: 'spki' | 'pkcs1' = 'spki'): Buffer => Buffer.from(key.export({ type, format: 'pem' }));
const kinds = {
  'P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'P-384': generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ed25519: generateKeyPairSync('ed25519'),
};

test('a signature by one of the keys is accepted, one by another or of another payload is not', () => {
  const keys = Object.values(kinds).map(({ publicKey }) => readPublicKey(pem(publicKey)));
  for (const [name, { privateKey }] of Object.entries(kinds)) {
    const signature = sign(name === 'ed25519' ? null : 'sha256', payload, privateKey).toString('base64');
    assert.equal(isSignedByOne({ payload, signature }, keys), true, name);
    assert.equal(isSignedByOne({ payload: Buffer.from('{"critical":{} }'), signature }, keys), false, name);
    assert.equal(isSignedByOne({ payload, signature }, keys.filter((key) => key.asymmetricKeyType !== kinds[name as 'rsa'].publicKey.asymmetricKeyType)), false, name);
    assert.equal(isSignedByOne({ payload, signature: '' }, keys), false, name);
  }
});

test('only public keys of kinds that are strong enough are taken', () => {
  assert.doesNotThrow(() => readPublicKey(pem(kinds.rsa.publicKey, 'pkcs1')));
  const cases: [key: Buffer, message: RegExp][] = [
    [Buffer.from(''), /not a public key in PEM/],
    [Buffer.from(kinds.rsa.privateKey.export({ type: 'pkcs8', format: 'pem' })), /not a public key in PEM/],
    [Buffer.concat([pem(kinds.rsa.publicKey), Buffer.from('-----BEGIN CERTIFICATE-----')]), /not a public key in PEM/],
    [pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), /rsa 1024 is not accepted: want/],
    [pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey), /ec secp256k1 is not accepted/],
    [pem(generateKeyPairSync('x25519').publicKey), /x25519 0 is not accepted/],
  ];
  for (const [key, message] of cases) assert.throws(() => readPublicKey(key), message);
});

test('of the attachments the signatures are taken, up to a bound', () => {
  const layer = { mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json', digest: `sha256:${'ab'.repeat(32)}`, size: 10, annotations: { 'dev.cosignproject.cosign/signature': 'c2ln', other: 1 } };
  const parse = (layers: unknown[]) => parseAttachments(Buffer.from(JSON.stringify({ schemaVersion: 2, layers })));

  assert.deepEqual(parse([{ mediaType: 'application/vnd.dsse.envelope.v1+json' }, layer]), [{ mediaType: layer.mediaType, digest: layer.digest, size: 10, signature: 'c2ln' }]);
  assert.equal(parse([{ ...layer, annotations: undefined }])[0]?.signature, '');
  assert.throws(() => parse(Array.from({ length: 129 }, () => layer)), /there are 129 signatures, more than 128/);
  assert.throws(() => parse([{ ...layer, digest: 'sha256:../x' }]), /layers\[0\]\.digest: want a sha256 digest/);
  assert.throws(() => parse([{ ...layer, size: -1 }]), /layers\[0\]\.size: want a whole number/);
});
