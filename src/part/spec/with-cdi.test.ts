import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import { NamespaceMode } from '../../gen/cri.ts';
import { buildContainerSpec } from './build-container-spec.ts';
import type { ContainerEdits, EditedDevice } from '../../base/container-edits.ts';
import { encodeSpec } from './encode-spec.ts';
import { exampleInput } from './example-input.fake.ts';
import type { Changes } from './example-input.fake.ts';
import { ociSchema } from './oci-schema.fake.ts';
import type { OciSpec } from './oci-spec.ts';
import { withHooks } from './with-hooks.ts';

const none: ContainerEdits = { env: [], devices: [], mounts: [], hooks: [], additionalGids: [], intelRdt: undefined };
const node: EditedDevice = { path: '/dev/x', type: 'c', major: 1, minor: 3, mode: 0o600, uid: undefined, gid: undefined, permissions: 'rwm' };
const hook = { stage: 'createRuntime', path: '/bin/x', args: [], env: [], timeout: undefined } as const;

/** The spec with these edits; it must be one by the schema. */
function edited(edits: Partial<ContainerEdits> | readonly Partial<ContainerEdits>[], changes: Changes = {}): OciSpec {
  const cdi = [edits].flat().map((one) => ({ ...none, ...one }));
  const spec = buildContainerSpec(exampleInput({ ...changes, input: { ...changes.input, cdi } }));
  const validate = new Ajv().compile(ociSchema);
  assert.ok(validate(JSON.parse(encodeSpec(spec))), JSON.stringify(validate.errors));
  return spec;
}

test('no edits change nothing', () => {
  assert.deepEqual(edited([]), buildContainerSpec(exampleInput()));
  assert.deepEqual(edited({}), buildContainerSpec(exampleInput()));
});

test('variables are added, and win over those of the same name, the later over the earlier', () => {
  const { env } = edited([{ env: ['GPU=1', 'PATH=/gpu'] }, { env: ['GPU=2'] }]).process;

  assert.equal(env[0], 'PATH=/gpu');
  assert.deepEqual(env.filter((entry) => entry.startsWith('GPU=')), ['GPU=2']);
});

test('a node belongs to the user of the process unless the file says whose it is', () => {
  const identity = { uid: 1000, gid: 1001, additionalGids: [1001], home: undefined };
  const { devices } = edited({ devices: [node, { ...node, path: '/dev/y', uid: 0, gid: 44 }] }, { input: { identity } }).linux;

  assert.deepEqual(devices.map(({ path, uid, gid }) => [path, uid, gid]), [['/dev/x', 1000, 1001], ['/dev/y', 0, 44]]);
});

test('a node comes with its rule; one without permissions and a FIFO have none', () => {
  const { devices, resources } = edited({ devices: [{ ...node, permissions: 'rw' }, { ...node, path: '/dev/y', mode: undefined, permissions: '' }, { ...node, path: '/dev/pipe', type: 'p' }] }).linux;

  assert.deepEqual(resources.devices, [{ allow: false, access: 'rwm' }, { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' }]);
  assert.deepEqual(devices.slice(1), [{ type: 'c', path: '/dev/y', major: 1, minor: 3, uid: 0, gid: 0 }, { type: 'p', path: '/dev/pipe', fileMode: 0o600, uid: 0, gid: 0 }]);
});

test('a node replaces the one on its path', () => {
  const given = { path: '/dev/x', type: 'c', major: 9, minor: 9, mode: 0o666, uid: 0, gid: 0, permissions: 'r' } as const;

  assert.deepEqual(edited({ devices: [node] }, { input: { devices: [given] } }).linux.devices.map(({ major }) => major), [1]);
});

test('a mount replaces the one on its path and stands before those below it', () => {
  const mounts = [{ hostPath: '/h', containerPath: '/data', type: '', options: ['ro', 'bind'] }, { hostPath: 'tmpfs', containerPath: '/data/a', type: 'tmpfs', options: [] }, { hostPath: '/h', containerPath: '/opt', type: '', options: [] }];

  const spec = edited({ mounts }, { mount: { containerPath: '/data/a/b' } });

  assert.deepEqual(spec.mounts.filter(({ destination }) => /^\/(data|opt)/.test(destination)), [
    { destination: '/data', type: 'bind', source: '/h', options: ['ro', 'bind'] },
    { destination: '/opt', type: 'bind', source: '/h', options: ['rbind'] },
    { destination: '/data/a', type: 'tmpfs', source: 'tmpfs', options: [] },
    { destination: '/data/a/b', type: 'bind', source: '/srv/data', options: ['rbind', 'rprivate', 'rw'] },
  ]);
  assert.equal(edited({ mounts: [{ ...mounts[0]!, containerPath: '/etc/hostname' }] }).mounts.filter(({ destination }) => destination === '/etc/hostname').length, 1);
});

test('groups are added once each, and classes of service are set', () => {
  const spec = edited([{ additionalGids: [44, 0, 44] }, { intelRdt: { closID: 'gold', l3CacheSchema: '', memBwSchema: 'MB:0=20' } }]);

  assert.deepEqual(spec.process.user.additionalGids, [0, 44]);
  assert.deepEqual(spec.linux.intelRdt, { closID: 'gold', memBwSchema: 'MB:0=20' });
});

test('hooks stand in the order of the edits, the node\'s own after them', () => {
  const spec = edited([{ hooks: [hook, { ...hook, stage: 'poststop', args: ['x', '-v'], env: ['A=1'], timeout: 2 }] }, { hooks: [{ ...hook, path: '/bin/y' }] }]);

  assert.deepEqual(withHooks(spec, [{ ...hook, path: '/bin/z' }]).hooks, {
    createRuntime: [{ path: '/bin/x' }, { path: '/bin/y' }, { path: '/bin/z' }],
    poststop: [{ path: '/bin/x', args: ['x', '-v'], env: ['A=1'], timeout: 2 }],
  });
  assert.equal(withHooks(spec, []), spec);
});

test('privileged containers get the edits too', () => {
  const spec = edited({ devices: [node] }, { security: { privileged: true } });

  assert.deepEqual(spec.linux.devices.map(({ path }) => path), ['/dev/x']);
});

test('in a pod with a user namespace a mount that can be mapped has the maps of the pod', () => {
  const range = [{ containerId: 0, hostId: 200_000, length: 65_536 }];
  const usernsOptions = { mode: NamespaceMode.POD, uids: range, gids: range };
  const mounts = [{ hostPath: '/h', containerPath: '/opt', type: '', options: ['ro', 'bind'], mapped: true }, { hostPath: '/sys', containerPath: '/srv', type: '', options: ['bind'], mapped: false }] as const;
  const mountOf = (spec: OciSpec, path: string): OciSpec['mounts'][number] | undefined => spec.mounts.find(({ destination }) => destination === path);
  const map = [{ containerID: 0, hostID: 200_000, size: 65_536 }];

  const spec = edited({ mounts }, { podNamespaces: { usernsOptions } });

  assert.deepEqual(mountOf(spec, '/opt'), { destination: '/opt', type: 'bind', source: '/h', options: ['ro', 'bind'], uidMappings: map, gidMappings: map });
  assert.deepEqual(mountOf(spec, '/srv'), { destination: '/srv', type: 'bind', source: '/sys', options: ['bind'] });
});
