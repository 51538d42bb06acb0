import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpoints } from './endpoints.ts';
import { refusals } from './refusals.ts';
import { Routes, targetOf } from './routes.ts';

test('a version in the path is optional and taken off', () => {
  assert.deepEqual({ ...targetOf('/v1.24/info?a=b'), query: '' }, { path: '/info', apiVersion: 24, query: '' });
  assert.deepEqual({ ...targetOf('/info'), query: '' }, { path: '/info', apiVersion: 44, query: '' });
  assert.equal(targetOf('/v1.41/containers/json?all=1').query.get('all'), '1');
});

test('versions that are not spoken are refused in the words that clients look for', () => {
  assert.throws(() => targetOf('/v1.99/info'), { kind: 'invalid-argument', message: 'client version 1.99 is too new. Maximum supported API version is 1.44' });
  assert.throws(() => targetOf('/v1.23/info'), { kind: 'invalid-argument', message: 'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version' });
  assert.throws(() => targetOf('/v2.0/info'), { kind: 'invalid-argument' });
});

test('names in a path may have slashes where images have them', () => {
  const routes = new Routes([{ route: 'GET /images/{name…}/json' }, { route: 'GET /containers/{id}/json' }]);

  assert.equal(routes.find('GET', '/images/a.b:5/c%2Fd/e:1/json')?.params.get('name'), 'a.b:5/c/d/e:1');
  assert.equal(routes.find('HEAD', '/containers/x/json')?.params.get('id'), 'x');
  assert.equal(routes.find('GET', '/containers/x/y/json'), undefined);
  assert.equal(routes.find('POST', '/containers/x/json'), undefined);
  assert.throws(() => routes.find('GET', '/containers/%zz/json'), { kind: 'invalid-argument', message: 'read path "%zz": it is not well encoded' });
});

test('no route stands twice, and none that is answered is refused', () => {
  const all = [...endpoints, ...refusals].map(({ route }) => route);

  assert.equal(new Set(all).size, all.length);
  const refused = new Routes(refusals);
  for (const { route } of endpoints) {
    const [method = '', path = ''] = route.split(' ');
    assert.equal(refused.find(method, path.replaceAll(/[{}…]/g, '')), undefined, route);
  }
});
