import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForeignValue } from '../../base/foreign-value.ts';
import { plainName, readPlainName } from './names.fake.ts';
import { acceptDigestOrTag, readSignedIdentity } from './signed-identity.ts';

const digest = `sha256:${'ab'.repeat(32)}`;
const other = `sha256:${'cd'.repeat(32)}`;

test('each rule accepts what it says and nothing beside it', () => {
  const exactReference = { type: 'exactReference', dockerReference: 'vendor.example/app:v1' };
  const exactRepository = { type: 'exactRepository', dockerRepository: 'vendor.example/app' };
  const remap = { type: 'remapIdentity', prefix: 'mirror.example:5000/vendor', signedPrefix: 'vendor.example' };
  const cases: [rule: Record<string, string>, image: string, signed: string, accepted: boolean][] = [
    [{ type: 'matchExact' }, 'r.example/a:v1', 'r.example/a:v1', true],
    [{ type: 'matchExact' }, 'r.example/a:v1', 'r.example/a:v2', false],
    [{ type: 'matchExact' }, 'r.example/a:v1', 'r.example/a', false],
    [{ type: 'matchExact' }, `r.example/a@${digest}`, `r.example/a@${digest}`, true],
    [{ type: 'matchExact' }, `r.example/a@${digest}`, 'r.example/a:v1', false],
    [{ type: 'matchRepoDigestOrExact' }, 'r.example/a:v1', 'r.example/a:v1', true],
    [{ type: 'matchRepoDigestOrExact' }, 'r.example/a:v1', 'r.example/a:v2', false],
    [{ type: 'matchRepoDigestOrExact' }, 'r.example/a:v1', `r.example/a@${digest}`, false],
    [{ type: 'matchRepoDigestOrExact' }, `r.example/a@${digest}`, 'r.example/a:v2', true],
    [{ type: 'matchRepoDigestOrExact' }, `r.example/a@${digest}`, `r.example/a@${other}`, true], // what is signed is held against the manifest itself
    [{ type: 'matchRepoDigestOrExact' }, `r.example/a@${digest}`, 'r.example/b:v1', false],
    [{ type: 'matchRepoDigestOrExact' }, `r.example/a@${digest}`, 'r.example/a', false],
    [{ type: 'matchRepository' }, 'r.example/a:v1', 'r.example/a', true],
    [{ type: 'matchRepository' }, 'r.example/a:v1', 'r.example/a:v9', true],
    [{ type: 'matchRepository' }, 'r.example/a:v1', 'r.example/a/b', false],
    [exactReference, 'r.example/x:v7', 'vendor.example/app:v1', true],
    [exactReference, 'vendor.example/app:v2', 'vendor.example/app:v2', false],
    [exactReference, 'r.example/x:v7', 'vendor.example/app', false],
    [exactRepository, 'r.example/x:v7', 'vendor.example/app:v3', true],
    [exactRepository, 'r.example/x:v7', 'r.example/x:v7', false],
    [remap, 'mirror.example:5000/vendor/a/b:v1', 'vendor.example/a/b:v1', true],
    [remap, 'mirror.example:5000/vendor/a/b:v1', 'mirror.example:5000/vendor/a/b:v1', false],
    [remap, 'mirror.example:5000/vendor2/a:v1', 'vendor.example2/a:v1', false],
    [remap, 'mirror.example:5000/vendor2/a:v1', 'mirror.example:5000/vendor2/a:v1', true],
    [remap, `mirror.example:5000/vendor/a@${digest}`, 'vendor.example/a:v1', true],
  ];
  for (const [rule, image, signed, accepted] of cases) {
    const identity = readSignedIdentity(new ForeignValue(rule), readPlainName);
    assert.equal(identity.accepts(plainName(image), plainName(signed)), accepted, `${identity.rule}: ${image} signed as ${signed}`);
    assert.ok(identity.rule.startsWith(rule['type']!));
  }
});

test('the rule of a policy that names none is matchRepoDigestOrExact', () => {
  assert.equal(acceptDigestOrTag, readSignedIdentity(new ForeignValue({ type: 'matchRepoDigestOrExact' }), readPlainName));
});
