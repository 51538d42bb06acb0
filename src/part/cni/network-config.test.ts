import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { test } from 'node:test';

import { fakeNode } from './fake-plugins.fake.ts';
import { chooseNetwork } from './network-config.ts';

const list = (name: string, more: object = {}) => ({ cniVersion: '1.0.0', name, plugins: [{ type: 'bridge' }], ...more });

test('the first valid file in lexical order is the network, and broken ones before it are named with the reason', async (t) => {
  const node = await fakeNode(t);
  await node.conf('00-half.conflist', '{"name": "ha');
  await node.conf('05-readme.txt', 'not a configuration');
  await node.conf('10-net.conflist', list('ten'));
  await node.conf('20-other.conflist', list('twenty'));
  await node.conf('30-broken.conflist', 'never reached');

  const { network, skipped } = await chooseNetwork(node.confDir);

  assert.equal(network?.name, 'ten');
  assert.equal(network.file, path.join(node.confDir, '10-net.conflist'));
  assert.deepEqual(skipped.map(({ file }) => path.basename(file)), ['00-half.conflist']);
  assert.match(skipped[0]!.why, /00-half\.conflist is not JSON/);
});

test('a directory that is absent or empty has no network and no complaint', async (t) => {
  const node = await fakeNode(t);

  assert.deepEqual(await chooseNetwork(node.confDir), { network: undefined, skipped: [] });
  assert.deepEqual(await chooseNetwork(path.join(node.confDir, 'absent')), { network: undefined, skipped: [] });
});

test('a plain plugin configuration counts as a list of one', async (t) => {
  const node = await fakeNode(t);
  await node.conf('10-old.conf', { cniVersion: '0.3.1', name: 'old', type: 'bridge', capabilities: { portMappings: true, dns: false }, bridge: 'cni0' });

  const { network } = await chooseNetwork(node.confDir);

  assert.deepEqual(network?.plugins, [{ type: 'bridge', capabilities: ['portMappings'], config: { cniVersion: '0.3.1', name: 'old', type: 'bridge', bridge: 'cni0' } }]);
  assert.deepEqual(network.versions, ['0.3.1']);
});

test('a list in a .json file is a list', async (t) => {
  const node = await fakeNode(t);
  await node.conf('10.json', list('listed'));

  assert.equal((await chooseNetwork(node.confDir)).network?.name, 'listed');
});

test('keys that belong to the protocol are taken out, all others pass through', async (t) => {
  const node = await fakeNode(t);
  const plugin = { type: 'x', 'cni.dev/attachments': [], prevResult: {}, capabilities: {}, args: { a: 1 }, deep: { cniVersion: 'mine' } };
  await node.conf('10.conflist', list('n', { plugins: [plugin] }));

  const { network } = await chooseNetwork(node.confDir);

  assert.deepEqual(network?.plugins[0]?.config, { type: 'x', args: { a: 1 }, deep: { cniVersion: 'mine' } });
});

test('version 1.1: several versions, those unknown to Gantry left out, highest first; flags as booleans or text', async (t) => {
  const node = await fakeNode(t);
  await node.conf('10.conflist', list('n', { cniVersion: '0.4.0', cniVersions: ['1.1.0', '0.3.1', '2.0.0'], disableGC: 'true', disableCheck: true }));

  const { network } = await chooseNetwork(node.confDir);

  assert.deepEqual(network?.versions, ['1.1.0', '0.4.0', '0.3.1']);
  assert.equal(network.disableGC, true);
  assert.equal(network.disableCheck, true);
});

test("plugins of the folder with the network's name are appended in order, unless the list says not to", async (t) => {
  const node = await fakeNode(t);
  await node.conf('10.conflist', list('podnet'));
  await fs.mkdir(path.join(node.confDir, 'podnet'));
  await node.conf('podnet/20-tuning.conf', { type: 'tuning' });
  await node.conf('podnet/10-portmap.conf', { type: 'portmap', capabilities: { portMappings: true } });

  const types = async () => (await chooseNetwork(node.confDir)).network?.plugins.map((plugin) => plugin.type);

  assert.deepEqual(await types(), ['bridge', 'portmap', 'tuning']);
  await node.conf('10.conflist', list('podnet', { loadOnlyInlinedPlugins: true }));
  assert.deepEqual(await types(), ['bridge']);
  await node.conf('10.conflist', { cniVersion: '1.0.0', name: 'podnet' });
  assert.deepEqual(await types(), ['portmap', 'tuning'], 'a list may have all its plugins in the folder');
});

for (const [what, content, why] of [
  ['no name', { cniVersion: '1.0.0', plugins: [{ type: 'x' }] }, /it has no name/],
  ['a name that is a path', list('../../etc'), /its name "\.\.\/\.\.\/etc" is not/],
  ['no version', { name: 'n', plugins: [{ type: 'x' }] }, /it has no cniVersion/],
  ['a version from the future', list('n', { cniVersion: '2.0.0' }), /it speaks CNI 2\.0\.0 and Gantry speaks 0\.3\.0, .*1\.1\.0/],
  ['an ancient version', list('n', { cniVersion: '0.2.0' }), /it speaks CNI 0\.2\.0/],
  ['no plugins', list('n', { plugins: [] }), /it has no plugins/],
  ['plugins that are no list', list('n', { plugins: {} }), /plugins is not a list/],
  ['a plugin without type', list('n', { plugins: [{ kind: 'x' }] }), /plugin 0 has no type/],
  ['a plugin type that is a path', list('n', { plugins: [{ type: '../../bin/sh' }] }), /plugin 0 has the type "\.\.\/\.\.\/bin\/sh", which is no file name/],
  ['a flag that is neither', list('n', { disableGC: 'perhaps' }), /disableGC is "perhaps", neither true nor false/],
  ['a list at the top', [], /10\.conflist is not an object/],
  ['too many bytes', `{"x":"${'y'.repeat(1024 * 1024)}"}`, /it has 1048584 bytes, and at most 1048576 are read/],
] as const) {
  test(`a configuration with ${what} is skipped and says so`, async (t) => {
    const node = await fakeNode(t);
    await node.conf('10.conflist', content);
    await node.conf('20.conflist', list('fallback'));

    const { network, skipped } = await chooseNetwork(node.confDir);

    assert.equal(network?.name, 'fallback');
    assert.match(skipped[0]!.why, why);
  });
}

test('a directory or pipe with the name of a configuration does not stop the reading', async (t) => {
  const node = await fakeNode(t);
  await fs.mkdir(path.join(node.confDir, '00.conflist'));
  await fs.symlink('/nothing/here', path.join(node.confDir, '01.conflist'));
  await node.conf('10.conflist', list('n'));

  const { network, skipped } = await chooseNetwork(node.confDir);

  assert.equal(network?.name, 'n');
  assert.match(skipped[0]!.why, /ENOENT/);
});
