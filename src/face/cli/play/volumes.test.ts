import assert from 'node:assert/strict';
import { access, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { dataSources } from './data-sources.ts';
import { parseResolvConf } from './host-facts.ts';
import { parseManifest } from './parse-manifest.ts';
import { PlayDirs } from './play-dirs.ts';
import { resolveSubPath } from './sub-path.ts';
import { hostPathProblems, makeVolumes } from './volumes.ts';

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(path.join(os.tmpdir(), 'gantry-play-'));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}

function given(volumes: string, data = '') {
  const { manifest, findings } = parseManifest(`${data}apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: x}], volumes: ${volumes}}\n`);
  assert.deepEqual(findings.problems, []);
  return { pod: manifest.pods[0]!, sources: dataSources(manifest) };
}

const mode = async (file: string) => ((await stat(file)).mode & 0o7777).toString(8);

test('an emptyDir may be written by any user, beneath a directory that only root enters', async (t) => {
  const at = await folder(t);
  const { pod, sources } = given('[{name: v, emptyDir: {}}]');
  const dirs = new PlayDirs({ dataDir: path.join(at, 'data'), logDir: path.join(at, 'logs') }, pod);

  await dirs.make();
  const places = await makeVolumes(pod, dirs, sources);

  assert.equal(await mode(places.get('v')!), '777');
  assert.equal(await mode(dirs.data), '700');
});

test('a configMap becomes files, all keys or the chosen ones, with their modes', async (t) => {
  const at = await folder(t);
  const data = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: "1", b: "2"}\nbinaryData: {z: /w==}\n---\n';
  const { pod, sources } = given('[{name: all, configMap: {name: c, defaultMode: 0600}}, {name: some, configMap: {name: c, items: [{key: b, path: d/e, mode: 0444}]}}, {name: none, configMap: {name: x, optional: true}}]', data);
  const dirs = new PlayDirs({ dataDir: at, logDir: at }, pod);

  const places = await makeVolumes(pod, dirs, sources);

  assert.deepEqual([...(await readFile(path.join(places.get('all')!, 'z')))], [0xff]);
  assert.equal(await mode(path.join(places.get('all')!, 'a')), '600');
  assert.equal(await readFile(path.join(places.get('some')!, 'd/e'), 'utf8'), '2');
  assert.equal(await mode(path.join(places.get('some')!, 'd/e')), '444');
  await assert.rejects(access(path.join(places.get('some')!, 'a')));
});

test('host paths are held to their type before anything is made', async (t) => {
  const at = await folder(t);
  await writeFile(path.join(at, 'file'), '');
  const check = (name: string, type: string) => hostPathProblems([given(`[{name: v, hostPath: {path: ${path.join(at, name)}, type: '${type}'}}]`).pod]);

  assert.deepEqual(await check('gone', ''), []);
  assert.deepEqual(await check('gone', 'DirectoryOrCreate'), []);
  assert.deepEqual(await check('file', 'FileOrCreate'), []);
  assert.match((await check('gone', 'Directory'))[0]!, /^Pod p: spec\.volumes\[0\]\.hostPath: .*gone is not there, and type Directory does not make it$/);
  assert.match((await check('file', 'Directory'))[0]!, /file is not what type Directory wants/);
  assert.match((await check('file', 'Socket'))[0]!, /is not what type Socket wants/);
});

test('host paths are made where their type says so', async (t) => {
  const at = await folder(t);
  const { pod, sources } = given(`[{name: d, hostPath: {path: ${at}/x/y, type: DirectoryOrCreate}}, {name: f, hostPath: {path: ${at}/f, type: FileOrCreate}}]`);

  const places = await makeVolumes(pod, new PlayDirs({ dataDir: at, logDir: at }, pod), sources);

  assert.ok((await stat(places.get('d')!)).isDirectory());
  assert.ok((await stat(places.get('f')!)).isFile());
});

test('what was made is removed, and removing again is no error', async (t) => {
  const at = await folder(t);
  const { pod } = given('[]');
  const dirs = new PlayDirs({ dataDir: path.join(at, 'data'), logDir: path.join(at, 'logs') }, pod);
  await dirs.make();

  assert.equal(await dirs.remove(), true);
  assert.equal(await dirs.remove(), false);
  await assert.rejects(access(dirs.logs));
});

test('a subPath is found beneath its volume, and made with the mode of the volume', async (t) => {
  const volume = await folder(t);
  await mkdir(path.join(volume, 'there'));
  await writeFile(path.join(volume, 'there/file'), '');

  assert.equal(await resolveSubPath(volume, 'there/file'), path.join(volume, 'there/file'));
  assert.equal(await resolveSubPath(volume, './new/deep/'), path.join(volume, 'new/deep'));
  assert.equal(await mode(path.join(volume, 'new/deep')), await mode(volume));
});

test('a subPath never leads out of its volume', async (t) => {
  const at = await folder(t);
  const volume = path.join(at, 'volume');
  await mkdir(path.join(at, 'outside'));
  await mkdir(volume);
  await symlink(path.join(at, 'outside'), path.join(volume, 'link'));
  await symlink('/etc', path.join(volume, 'etc'));
  await writeFile(path.join(volume, 'file'), '');

  await assert.rejects(resolveSubPath(volume, 'link'), { kind: 'invalid-argument', message: /link is a symlink$/ });
  await assert.rejects(resolveSubPath(volume, 'link/made'), /link is a symlink/);
  await assert.rejects(resolveSubPath(volume, 'etc/passwd'), /etc is a symlink/);
  await assert.rejects(resolveSubPath(volume, '../outside'), /leaves the volume by \.\./);
  await assert.rejects(resolveSubPath(volume, 'file/x'), /file is not a directory/);
  await assert.rejects(access(path.join(at, 'outside/made')));
});

test('resolv.conf is read as the resolver reads it', () => {
  assert.deepEqual(parseResolvConf('# comment\nnameserver 192.0.2.1\nnameserver fe80::1%eth0 ; here\nnameserver bogus\ndomain old\nsearch a.b c.d .\noptions ndots:2 rotate\noptions timeout:1\n'), {
    servers: ['192.0.2.1', 'fe80::1%eth0'], searches: ['a.b', 'c.d'], options: ['ndots:2', 'rotate', 'timeout:1'],
  });
});
