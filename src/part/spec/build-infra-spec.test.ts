import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Ajv } from 'ajv';
import { NamespaceMode } from '../../gen/cri.ts';
import type { IDMapping } from '../../gen/cri.ts';
import { buildInfraSpec } from './build-infra-spec.ts';
import type { InfraInput } from './build-infra-spec.ts';
import { encodeSpec } from './encode-spec.ts';
import { exampleDefaults, exampleFacts, exampleHandler, exampleInput } from './example-input.fake.ts';
import { ociSchema } from './oci-schema.fake.ts';
import type { OciSpec } from './oci-spec.ts';

function infraInput(change: Partial<InfraInput> = {}): InfraInput {
  const { podId, podConfig, namespaces, cgroupsPath, hostname } = exampleInput();
  return { podId, podConfig, namespaces, cgroupsPath, resources: {}, hostname, rootfs: '/run/pods/1/root', program: '/usr/bin/catatonit', args: ['-P'], facts: exampleFacts, defaults: exampleDefaults, handler: exampleHandler, apparmorProfile: undefined, selinux: undefined, ...change };
}

test('the infra process is PID 1 of a new PID namespace beside the other namespaces of the pod', () => {
  const { linux, process, mounts } = buildInfraSpec(infraInput());

  assert.deepEqual(linux.namespaces, [
    { type: 'mount' },
    { type: 'network', path: '/run/pods/1/net' },
    { type: 'ipc', path: '/run/pods/1/ipc' },
    { type: 'uts', path: '/run/pods/1/uts' },
    { type: 'pid' },
    { type: 'cgroup' },
  ]);
  assert.deepEqual(process.args, ['/pause', '-P']);
  assert.equal(mounts.at(-1)?.source, '/usr/bin/catatonit');
});

test('in a user namespace the infra process is somebody whom that maps', () => {
  const namespaces = { network: '/n', ipc: '/i', uts: '/u', user: '/run/pods/1/user' };
  const mapping = (length: number): IDMapping[] => [{ containerId: 0, hostId: 65_536, length }];
  const of = (length: number): OciSpec => {
    const usernsOptions = { mode: NamespaceMode.POD, uids: mapping(length), gids: mapping(length) };
    return buildInfraSpec(infraInput({ namespaces, podConfig: exampleInput({ podNamespaces: { usernsOptions } }).podConfig }));
  };

  const { linux, process } = of(65_536);

  assert.deepEqual(linux.namespaces[0], { type: 'user', path: '/run/pods/1/user' });
  assert.deepEqual(linux.uidMappings, [{ containerID: 0, hostID: 65_536, size: 65_536 }]);
  assert.equal(process.user.uid, 65_535);
  assert.deepEqual(of(1000).process.user, { uid: 999, gid: 999, umask: 0o022, additionalGids: [999] });
  assert.ok(new Ajv().compile(ociSchema)(JSON.parse(encodeSpec(of(1000)))));
});

test('the infra process has no power', () => {
  const { process, root, linux } = buildInfraSpec(infraInput());

  assert.deepEqual(process.capabilities, { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] });
  assert.equal(process.user.uid, 65_535);
  assert.equal(process.noNewPrivileges, true);
  assert.equal(root.readonly, true);
  assert.equal(linux.seccomp?.defaultAction, 'SCMP_ACT_ERRNO');
  assert.ok(linux.maskedPaths.includes('/proc/kcore'));
  assert.deepEqual(linux.resources.devices, [{ allow: false, access: 'rwm' }]);
});

test('the infra process is confined by the defaults of the node and the labels of its pod', () => {
  const { podConfig: plain } = exampleInput();
  const podConfig = { ...plain, linux: { ...plain.linux!, securityContext: { ...plain.linux!.securityContext!, selinuxOptions: { user: '', role: '', type: 'shop_t', level: '' } } } };
  const selinux = { contexts: { process: 'system_u:system_r:container_t:s0', file: 'system_u:object_r:container_file_t:s0' }, podLevel: 's0:c1,c2' };
  const seccomp = { ...exampleDefaults.seccomp, defaultAction: 'SCMP_ACT_KILL_PROCESS' as const };

  const { process, linux, mounts } = buildInfraSpec(infraInput({ podConfig, selinux, apparmorProfile: 'gantry-default', defaults: { ...exampleDefaults, seccomp }, program: undefined }));

  assert.equal(process.apparmorProfile, 'gantry-default');
  assert.deepEqual([process.selinuxLabel, linux.mountLabel], ['system_u:system_r:shop_t:s0:c1,c2', 'system_u:object_r:container_file_t:s0:c1,c2']);
  assert.equal(linux.seccomp?.defaultAction, 'SCMP_ACT_KILL_PROCESS');
  assert.ok(!mounts.some(({ destination }) => destination === '/pause'));
});

test('the infra process is the last that the OOM killer takes, as far as the daemon may say so', () => {
  assert.equal(buildInfraSpec(infraInput()).process.oomScoreAdj, -998);
  assert.equal(buildInfraSpec(infraInput({ facts: { ...exampleFacts, hasSysResource: false } })).process.oomScoreAdj, 0);
});

test('runtimes that want a sandbox container know it by its annotations', () => {
  const { annotations } = buildInfraSpec(infraInput());

  assert.equal(annotations['io.kubernetes.cri.container-type'], 'sandbox');
  assert.equal(annotations['io.kubernetes.cri.sandbox-id'], 'f00d'.repeat(16));
});

test('the infra spec is valid by the OCI runtime specification', () => {
  const validate = new Ajv().compile(ociSchema);

  assert.ok(validate(JSON.parse(encodeSpec(buildInfraSpec(infraInput())))), JSON.stringify(validate.errors));
});
