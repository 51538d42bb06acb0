import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimTypes, parseClaim } from './signed-claim.ts';

const digest = `sha256:${'ab'.repeat(32)}`;
const critical = { type: claimTypes.signedBy, image: { 'docker-manifest-digest': digest }, identity: { 'docker-reference': 'r.example/app:v1' } };
const bytes = (document: unknown): Buffer => Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));

test('a claim tells the manifest and the name that were signed', () => {
  for (const optional of [null, {}, { creator: 'x', timestamp: 1, anything: ['else'] }]) {
    assert.deepEqual(parseClaim(bytes({ critical, optional }), claimTypes.signedBy), { digest, reference: 'r.example/app:v1' });
  }
});

test('what is anything more or less than a claim is refused', () => {
  const cases: [document: unknown, message: RegExp][] = [
    ['text', /JSON/],
    [{ critical: { ...critical, type: claimTypes.sigstoreSigned }, optional: {} }, /critical\.type: want "atomic container signature", found "cosign/],
    [{ critical: { ...critical, more: 1 }, optional: {} }, /critical\.more is not known/],
    [{ critical, optional: {}, more: 1 }, /more is not known/],
    [{ critical: { ...critical, image: { 'docker-manifest-digest': 'sha512:ab' } }, optional: {} }, /docker-manifest-digest: want a sha256 digest/],
    [{ critical: { ...critical, identity: {} }, optional: {} }, /docker-reference: want a text, found nothing/],
    [JSON.stringify({ critical, optional: {} }).replace('"critical":', '"critical":{},"critical":'), /stands twice/],
  ];
  for (const [document, message] of cases) assert.throws(() => parseClaim(bytes(document), claimTypes.signedBy), message);
  assert.throws(() => parseClaim(Buffer.from([0x7b, 0xff, 0x7d]), claimTypes.signedBy), /encod|valid/);
});
