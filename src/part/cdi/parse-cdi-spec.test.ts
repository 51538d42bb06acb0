import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { CdiEdits } from './cdi-spec.ts';
import { parseCdiSpec } from './parse-cdi-spec.ts';

const file = (change: object = {}): object => ({ cdiVersion: '1.0.0', kind: 'vendor.com/gpu', devices: [{ name: 'one', containerEdits: { env: ['A=1'] } }], ...change });
const withEdits = (edits: object, change: object = {}): object => file({ devices: [{ name: 'one', containerEdits: edits }], ...change });
const editsOf = (edits: object, change: object = {}): CdiEdits => parseCdiSpec(withEdits(edits, change)).devices.get('one')!;

const nothing: CdiEdits = { env: [], deviceNodes: [], netDevices: [], mounts: [], hooks: [], additionalGids: [], intelRdt: undefined };

test('kind, devices and the edits for all of them are read', () => {
  const spec = parseCdiSpec(file({ annotations: { a: 'b' }, containerEdits: { env: ['ALL=1'] }, devices: [{ name: 'one', containerEdits: { env: ['A=1'] } }, { name: '2', containerEdits: { additionalGids: [44, 0] } }] }));

  assert.equal(spec.kind, 'vendor.com/gpu');
  assert.deepEqual(spec.edits, { ...nothing, env: ['ALL=1'] });
  assert.deepEqual([...spec.devices], [['one', { ...nothing, env: ['A=1'] }], ['2', { ...nothing, additionalGids: [44] }]]);
});

test('each kind of edit is read', () => {
  const node = { path: '/dev/x', hostPath: '/dev/y', type: 'u', major: 4, minor: 5, fileMode: 0o20640, permissions: 'rr', uid: 1, gid: 2 };
  assert.deepEqual(editsOf({ deviceNodes: [node] }).deviceNodes, [{ ...node, type: 'c', fileMode: 0o640, permissions: 'r' }]);
  assert.deepEqual(editsOf({ deviceNodes: [{ path: '/dev//x/' }] }).deviceNodes, [
    { path: '/dev/x', hostPath: '/dev/x', type: undefined, major: 0, minor: 0, fileMode: undefined, permissions: 'rwm', uid: undefined, gid: undefined },
  ]);
  assert.equal(editsOf({ deviceNodes: [{ path: '/dev/x', permissions: 'none' }] }).deviceNodes[0]?.permissions, '');
  assert.deepEqual(editsOf({ mounts: [{ hostPath: '/h', containerPath: '/c', options: ['ro'] }] }).mounts, [{ hostPath: '/h', containerPath: '/c', type: '', options: ['ro'] }]);
  assert.deepEqual(editsOf({ hooks: [{ hookName: 'poststop', path: '/bin/x', args: ['x', '-v'], env: ['A='], timeout: 3 }] }).hooks, [{ stage: 'poststop', path: '/bin/x', args: ['x', '-v'], env: ['A='], timeout: 3 }]);
  assert.deepEqual(editsOf({ intelRdt: { closID: 'gold', enableCMT: false } }).intelRdt, { closID: 'gold', l3CacheSchema: '', memBwSchema: '', newer: [] });
  assert.deepEqual(editsOf({ intelRdt: { schemata: ['L3:0=f'], enableMonitoring: true } }, { cdiVersion: '1.1.0' }).intelRdt?.newer, ['schemata', 'enableMonitoring']);
  assert.deepEqual(editsOf({ netDevices: [{ hostInterfaceName: 'eth7', name: 'net1' }] }, { cdiVersion: 'v1.1.0' }).netDevices, ['eth7']);
});

const refusals: readonly (readonly [what: string, document: unknown, message: string])[] = [
  ['no object', [], 'the document: want an object, found a list'],
  ['a version of the future', file({ cdiVersion: '2.0.0' }), 'cdiVersion: want a version of the specification, 0.3.0 to 1.1.0, found "2.0.0"'],
  ['no version', file({ cdiVersion: undefined }), 'cdiVersion: want a text, found nothing'],
  ['an unknown member', file({ device: [] }), 'device is not known: known are cdiVersion, kind, annotations, devices, containerEdits'],
  ['a kind without a class', file({ kind: 'vendor.com' }), 'kind: want a vendor and a class such as vendor.com/class, found "vendor.com"'],
  ['a kind with a path', file({ kind: 'vendor.com/../x' }), 'kind: want a vendor and a class such as vendor.com/class, found "vendor.com/../x"'],
  ['no devices', file({ devices: [] }), 'devices: there are none'],
  ['a device of no name', file({ devices: [{ name: '-x', containerEdits: {} }] }), 'devices[0].name: want letters, digits and . - _ : between letters or digits, found "-x"'],
  ['a device that does nothing', withEdits({}), 'devices[0].containerEdits: it is empty, so the device is nothing'],
  ['one name twice', file({ devices: [{ name: 'a', containerEdits: { env: ['A=1'] } }, { name: 'a', containerEdits: { env: ['A=1'] } }] }), 'devices[1].name: there are two devices "a"'],
  ['a variable without a name', withEdits({ env: ['=1'] }), 'devices[0].containerEdits.env[0]: want NAME=value, found "=1"'],
  ['a relative node', withEdits({ deviceNodes: [{ path: 'dev/x' }] }), 'devices[0].containerEdits.deviceNodes[0].path: want an absolute path without .., found "dev/x"'],
  ['a node above the root', withEdits({ deviceNodes: [{ path: '/dev/../x' }] }), 'devices[0].containerEdits.deviceNodes[0].path: want an absolute path without .., found "/dev/../x"'],
  ['a node of no type', withEdits({ deviceNodes: [{ path: '/x', type: 'char' }] }), 'devices[0].containerEdits.deviceNodes[0].type: want b, c, u or p, found "char"'],
  ['strange permissions', withEdits({ deviceNodes: [{ path: '/x', permissions: 'rx' }] }), 'devices[0].containerEdits.deviceNodes[0].permissions: want some of r, w and m, or none, found "rx"'],
  ['a negative number', withEdits({ deviceNodes: [{ path: '/x', major: -1 }] }), 'devices[0].containerEdits.deviceNodes[0].major: want a whole number from 0 to 2147483647, found -1'],
  ['a mount over the root', withEdits({ mounts: [{ hostPath: '/h', containerPath: '/' }] }), 'devices[0].containerEdits.mounts[0].containerPath: want a path below the root, found "/"'],
  ['a mount of nothing', withEdits({ mounts: [{ hostPath: '', containerPath: '/c' }] }), 'devices[0].containerEdits.mounts[0].hostPath: want a path, found ""'],
  ['a hook of no stage', withEdits({ hooks: [{ hookName: 'before', path: '/x' }] }), 'devices[0].containerEdits.hooks[0].hookName: want one of prestart, createRuntime, createContainer, startContainer, poststart, poststop, found "before"'],
  ['a hook without patience', withEdits({ hooks: [{ hookName: 'poststop', path: '/x', timeout: 0 }] }), 'devices[0].containerEdits.hooks[0].timeout: want a whole number from 1 to 2147483647, found 0'],
  ['a class that is a path', withEdits({ intelRdt: { closID: 'a/b' } }), 'devices[0].containerEdits.intelRdt.closID: want the name of a class of service, found "a/b"'],
  ['annotations that are no texts', file({ annotations: { a: 1 } }), 'annotations.a: want a text, found 1'],
];
for (const [what, document, message] of refusals) {
  test(`refused: ${what}`, () => {
    assert.throws(() => parseCdiSpec(document), { message });
  });
}

const newer: readonly (readonly [where: string, document: object, version: string, before: string])[] = [
  ['devices[0].containerEdits.mounts[0].type', withEdits({ mounts: [{ hostPath: 'none', containerPath: '/c', type: 'tmpfs' }] }), '0.4.0', '0.3.0'],
  ['devices[0].containerEdits.deviceNodes[0].hostPath', withEdits({ deviceNodes: [{ path: '/x', hostPath: '/y' }] }), '0.5.0', '0.4.0'],
  ['devices[0].name', file({ devices: [{ name: '0', containerEdits: { env: ['A=1'] } }] }), '0.5.0', '0.4.0'],
  ['annotations', file({ annotations: { a: 'b' } }), '0.6.0', '0.5.0'],
  ['devices[0].annotations', file({ devices: [{ name: 'a', annotations: { a: 'b' }, containerEdits: { env: ['A=1'] } }] }), '0.6.0', '0.5.0'],
  ['kind', file({ kind: 'vendor.com/a.b' }), '0.6.0', '0.5.0'],
  ['devices[0].containerEdits.additionalGids', withEdits({ additionalGids: [1] }), '0.7.0', '0.6.0'],
  ['devices[0].containerEdits.intelRdt', withEdits({ intelRdt: { closID: 'a' } }), '0.7.0', '0.6.0'],
  ['devices[0].containerEdits.netDevices[0]', withEdits({ netDevices: [{ hostInterfaceName: 'a', name: 'b' }] }), '1.1.0', '1.0.0'],
  ['devices[0].containerEdits.intelRdt.schemata', withEdits({ intelRdt: { schemata: ['x'] } }), '1.1.0', '1.0.0'],
];
for (const [where, document, version, before] of newer) {
  test(`${where} came with ${version}: a file that says ${before} cannot have it`, () => {
    assert.ok(parseCdiSpec({ ...document, cdiVersion: version }));
    assert.throws(() => parseCdiSpec({ ...document, cdiVersion: before }), { message: `${where}: it came with version ${version}, and the file says that it is of ${before}` });
  });
}

test('any document is read or refused with a word that says where', () => {
  const edits = fc.record({ env: fc.jsonValue(), deviceNodes: fc.array(fc.record({ path: fc.oneof(fc.jsonValue(), fc.constant('/dev/x')), permissions: fc.jsonValue() })), hooks: fc.jsonValue() }, { requiredKeys: [] });
  const document = fc.oneof(fc.jsonValue(), edits.map((containerEdits) => withEdits(containerEdits)));

  fc.assert(fc.property(document, (value) => {
    try {
      parseCdiSpec(value);
    } catch (error) {
      assert.match((error as Error).message, /want|not known|it is empty|there are/);
    }
  }));
});
