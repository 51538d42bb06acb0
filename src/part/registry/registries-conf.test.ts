import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findEntry, parseRegistriesConf, readRegistriesConf, relocate } from './registries-conf.ts';

const sample = `
unqualified-search-registries = ["docker.io"]

[[registry]]
location = "registry.local:5000"
insecure = true

[[registry]]
prefix = "docker.io"
location = "registry.local:5000/hub"

[[registry.mirror]]
location = "mirror.local/hub"
insecure = true

[[registry.mirror]]
location = "late.local/hub"
pull-from-mirror = "digest-only"

[[registry]]
prefix = "docker.io/forbidden"
blocked = true

[[registry]]
prefix = "*.corp.example"
location = "registry.local:5000/corp"
insecure = true

[aliases]
tool = "quay.io/tools/tool"
`;

const entriesOf = (text: string, file = 'registries.conf') => parseRegistriesConf(text, file).entries ?? [];

test('the entry with the longest fitting prefix counts', () => {
  const entries = entriesOf(sample);

  assert.equal(findEntry(entries, 'registry.local:5000/a')?.insecure, true);
  assert.equal(findEntry(entries, 'docker.io/library/busybox')?.location, 'registry.local:5000/hub');
  assert.equal(findEntry(entries, 'docker.io/forbidden/x')?.blocked, true);
  assert.equal(findEntry(entries, 'docker.io/forbidden2/x')?.blocked, false);
  assert.equal(findEntry(entries, 'a.corp.example:443/x')?.insecure, true);
  assert.equal(findEntry(entries, 'corp.example/x'), undefined);
  assert.equal(findEntry(entries, 'ghcr.io/x'), undefined);
});

test('a prefix is replaced by a location; of a wildcard the whole host', () => {
  const [, hub, , corp] = entriesOf(sample);

  assert.equal(hub && relocate(hub, hub.location, 'docker.io/library/busybox'), 'registry.local:5000/hub/library/busybox');
  assert.equal(corp && relocate(corp, corp.location, 'a.corp.example/team/app'), 'registry.local:5000/corp/team/app');
  assert.equal(corp && relocate(corp, '', 'a.corp.example/team/app'), 'a.corp.example/team/app');
});

test('mirrors keep their order and what they may be asked for', () => {
  const [, hub] = entriesOf(sample);
  const [old] = entriesOf('[[registry]]\nlocation = "a"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "b"');

  assert.deepEqual(hub?.mirrors, [{ location: 'mirror.local/hub', insecure: true, pulls: 'all' }, { location: 'late.local/hub', insecure: false, pulls: 'digest-only' }]);
  assert.deepEqual(old?.mirrors, [{ location: 'b', insecure: false, pulls: 'digest-only' }]);
});

test('drop-ins replace entries of the same prefix and other settings, in the order of their names', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-conf-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'registries.conf');
  await mkdir(`${path}.d`);
  await writeFile(path, sample);
  await writeFile(`${path}.d/20-later.conf`, '[[registry]]\nprefix = "docker.io"\nlocation = "second"\n');
  await writeFile(`${path}.d/10-first.conf`, 'unqualified-search-registries = ["quay.io"]\nshort-name-mode = "enforcing"\n[[registry]]\nprefix = "docker.io"\nlocation = "first"\n[aliases]\nother = "a.io/b"\n');
  await writeFile(`${path}.d/readme.txt`, 'not read [');

  const conf = await readRegistriesConf(path);

  const hub = findEntry(conf.entries, 'docker.io/x');
  assert.equal(hub?.location, 'second');
  assert.equal(hub?.file, `${path}.d/20-later.conf`);
  assert.deepEqual([conf.searchRegistries, conf.shortNameMode], [['quay.io'], 'enforcing']);
  assert.deepEqual([...conf.aliases], [['tool', 'quay.io/tools/tool'], ['other', 'a.io/b']]);
});

test('a file that is not there says nothing', async () => {
  const conf = await readRegistriesConf('/nowhere/registries.conf');

  assert.deepEqual([conf.entries, conf.searchRegistries, conf.shortNameMode], [[], [], 'permissive']);
});

test('a file that makes no sense is refused by name', () => {
  const refused: [text: string, why: RegExp][] = [
    ['[[registry', /read registries file x: /],
    ['[[registry]]\ninsecure = "yes"\nlocation = "a"', /registry\[0\].insecure: want true or false, found "yes"/],
    ['[[registry]]\ninsecure = true', /registry\[0\].location: want where the registry is, found nothing/],
    ['registry = 3', /registry: want a list, found 3/],
    ['[[registry]]\nlocation = "a"\n[[registry.mirror]]\ninsecure = true', /registry\[0\].mirror\[0\].location: want where the mirror is, found nothing/],
    ['[[registry]]\nlocation = "a"\n[[registry.mirror]]\nlocation = "b"\npull-from-mirror = "never"', /pull-from-mirror: want all, digest-only or tag-only, found "never"/],
    ['short-name-mode = "maybe"', /short-name-mode: want permissive, enforcing or disabled, found "maybe"/],
    ['unqualified-search-registries = "docker.io"', /unqualified-search-registries: want a list/],
    ['[aliases]\na = 1', /aliases.a: want a text, found 1/],
  ];

  for (const [text, why] of refused) assert.throws(() => parseRegistriesConf(text, 'x'), why, text);
});
