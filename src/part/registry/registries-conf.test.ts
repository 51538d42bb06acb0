import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findEndpoint } from './endpoint.ts';
import { usualHostRules } from './host-rules.ts';
import { parseReference } from './reference.ts';
import { findEntry, parseRegistriesConf, relocate } from './registries-conf.ts';

const sample = `
unqualified-search-registries = ["docker.io"]

[[registry]]
location = "registry.local:5000"
insecure = true

[[registry]]
prefix = "docker.io"
location = "registry.local:5000/hub"

[[registry]]
prefix = "docker.io/forbidden"
blocked = true

[[registry]]
prefix = "*.corp.example"
insecure = true
`;

test('the entry with the longest fitting prefix counts', () => {
  const entries = parseRegistriesConf(sample, 'registries.conf');

  assert.equal(findEntry(entries, 'registry.local:5000/a')?.insecure, true);
  assert.equal(findEntry(entries, 'docker.io/library/busybox')?.location, 'registry.local:5000/hub');
  assert.equal(findEntry(entries, 'docker.io/forbidden/x')?.blocked, true);
  assert.equal(findEntry(entries, 'docker.io/forbidden2/x')?.blocked, false);
  assert.equal(findEntry(entries, 'a.corp.example:443/x')?.insecure, true);
  assert.equal(findEntry(entries, 'corp.example/x'), undefined);
  assert.equal(findEntry(entries, 'ghcr.io/x'), undefined);
});

test('a prefix is replaced by the location', () => {
  const [, hub] = parseRegistriesConf(sample, 'registries.conf');

  assert.equal(hub && relocate(hub, 'docker.io/library/busybox'), 'registry.local:5000/hub/library/busybox');
});

test('a file that makes no sense is refused by name', () => {
  assert.throws(() => parseRegistriesConf('[[registry', '/etc/x.conf'), /read registries file \/etc\/x.conf: /);
  assert.throws(() => parseRegistriesConf('[[registry]]\ninsecure = "yes"\nlocation = "a"', 'x'), /registry 1: insecure must be true or false/);
  assert.throws(() => parseRegistriesConf('[[registry]]\ninsecure = true', 'x'), /registry 1: wants a location/);
  assert.throws(() => parseRegistriesConf('registry = 3', 'x'), /must be written as/);
});

test('an endpoint follows the file as it is now, and refuses a blocked registry', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-conf-'));
  t.after(() => rm(directory, { recursive: true }));
  const registriesConf = join(directory, 'registries.conf');
  const deps = { hostRules: usualHostRules(), registriesConf };
  const busybox = parseReference('busybox');

  const without = await findEndpoint(busybox, deps);
  await writeFile(registriesConf, sample);
  const relocated = await findEndpoint(busybox, deps);
  const insecure = await findEndpoint(parseReference('registry.local:5000/a'), deps);

  assert.deepEqual(without, { host: 'docker.io', address: 'registry-1.docker.io', repository: 'library/busybox', rule: { schemes: ['https'] } });
  assert.equal(relocated.address, 'registry.local:5000');
  assert.equal(relocated.repository, 'hub/library/busybox');
  assert.deepEqual(insecure.rule, { schemes: ['https', 'http'], skipVerify: true });
  await assert.rejects(findEndpoint(parseReference('forbidden/x'), deps), /registry docker.io\/forbidden is blocked in /);
});
