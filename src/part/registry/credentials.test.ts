import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenges } from './challenge.ts';
import { credentialsFor } from './credentials.ts';

const none = { username: '', password: '', auth: '', serverAddress: '', identityToken: '', registryToken: '' };
const anonymous = { kind: 'anonymous' };

test('the most specific credentials are used', () => {
  const auth = Buffer.from('u:p:w').toString('base64');

  assert.deepEqual(credentialsFor('r.io', undefined), anonymous);
  assert.deepEqual(credentialsFor('r.io', none), anonymous);
  assert.deepEqual(credentialsFor('r.io', { ...none, auth }), { kind: 'basic', username: 'u', password: 'p:w' });
  assert.deepEqual(credentialsFor('r.io', { ...none, auth, username: 'a', password: 'b' }), { kind: 'basic', username: 'a', password: 'b' });
  assert.deepEqual(credentialsFor('r.io', { ...none, username: 'a', identityToken: 'id' }), { kind: 'identity-token', token: 'id' });
  assert.deepEqual(credentialsFor('r.io', { ...none, identityToken: 'id', registryToken: 'reg' }), { kind: 'registry-token', token: 'reg' });
});

test('credentials for another server are not used', () => {
  const given = { ...none, username: 'a', password: 'b' };

  assert.deepEqual(credentialsFor('r.io', { ...given, serverAddress: 'https://other.io/v1/' }), anonymous);
  assert.deepEqual(credentialsFor('r.io:5000', { ...given, serverAddress: 'r.io' }), anonymous);
  assert.equal(credentialsFor('r.io', { ...given, serverAddress: 'https://r.io/v2/' }).kind, 'basic');
  assert.equal(credentialsFor('docker.io', { ...given, serverAddress: 'https://index.docker.io/v1/' }).kind, 'basic');
});

test('a malformed auth is refused without showing it', () => {
  const auth = Buffer.from('hunter2').toString('base64');

  assert.throws(() => credentialsFor('r.io', { ...none, auth }), (error: Error) => /auth is not base64 of user:password/.test(error.message) && !error.message.includes('hunter2') && !error.message.includes(auth));
});

test('challenges are read from one header or several joined', () => {
  const challenges = parseChallenges('Bearer realm="https://auth.io/token?a=b",service="reg, istry",scope="repository:a/b:pull", Basic realm="x \\"y\\""');

  assert.deepEqual(challenges.map(({ scheme }) => scheme), ['bearer', 'basic']);
  assert.equal(challenges[0]?.parameters.get('realm'), 'https://auth.io/token?a=b');
  assert.equal(challenges[0]?.parameters.get('service'), 'reg, istry');
  assert.equal(challenges[1]?.parameters.get('realm'), 'x "y"');
  assert.deepEqual(parseChallenges(''), []);
});
