import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatReference } from './reference.ts';
import { noRegistriesConf } from './registries-conf.ts';
import type { RegistriesConf } from './registries-conf.ts';
import { candidatesOf } from './short-name.ts';

const names = (text: string, change: Partial<RegistriesConf> = {}): string[] => candidatesOf(text, { ...noRegistriesConf, ...change }).map(formatReference);

test('without a word from anybody a short name is Docker Hub\'s', () => {
  assert.deepEqual(names('busybox:1'), ['docker.io/library/busybox:1']);
  assert.deepEqual(names('bitnami/redis'), ['docker.io/bitnami/redis:latest']);
});

test('an alias decides, and keeps tag and digest', () => {
  const aliases = new Map([['tool', 'quay.io/tools/tool'], ['team/app', 'r.example/app']]);
  const digest = `sha256:${'a'.repeat(64)}`;

  assert.deepEqual(names('tool', { aliases, searchRegistries: ['a.io', 'b.io'] }), ['quay.io/tools/tool:latest']);
  assert.deepEqual(names('tool:2', { aliases }), ['quay.io/tools/tool:2']);
  assert.deepEqual(names(`team/app@${digest}`, { aliases }), [`r.example/app@${digest}`]);
});

test('search registries are tried in order', () => {
  assert.deepEqual(names('app:1', { searchRegistries: ['r.example', 'docker.io'] }), ['r.example/app:1', 'docker.io/library/app:1']);
});

test('a name with a registry stands for itself', () => {
  const conf = { searchRegistries: ['r.example'], aliases: new Map([['docker.io/library/busybox', 'x.io/y']]) };

  assert.deepEqual(names('docker.io/library/busybox', conf), ['docker.io/library/busybox:latest']);
  assert.deepEqual(names('localhost/app', conf), ['localhost/app:latest']);
  assert.deepEqual(names('index.docker.io/busybox', conf), ['docker.io/library/busybox:latest']);
});

test('enforcing mode does not choose between several registries', () => {
  assert.throws(() => names('app', { searchRegistries: ['a.io', 'b.io'], shortNameMode: 'enforcing' }), /complete image name app: it may be at any of a.io, b.io, and short-name-mode is enforcing/);
  assert.deepEqual(names('app', { searchRegistries: ['a.io'], shortNameMode: 'enforcing' }), ['a.io/app:latest']);
});
