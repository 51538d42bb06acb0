import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Ajv } from 'ajv';
import * as fc from 'fast-check';
import { GantryError, isKind } from '../../base/errors.ts';
import { Mount, MountPropagation, NamespaceMode, SecurityProfile_ProfileType } from '../../gen/cri.ts';
import type { ContainerConfig } from '../../gen/cri.ts';
import { buildContainerSpec } from './build-container-spec.ts';
import { encodeSpec } from './encode-spec.ts';
import { exampleInput, unset } from './example-input.fake.ts';
import type { Changes } from './example-input.fake.ts';
import { hostileChanges } from './hostile-changes.fake.ts';
import { ociSchema } from './oci-schema.fake.ts';
import type { OciSpec } from './oci-spec.ts';
import type { ResolvedDevice } from './resolve-devices.ts';
import type { SpecInput } from './spec-input.ts';

const validate = new Ajv().compile(ociSchema);

function build(changes: Changes = {}): OciSpec {
  return buildContainerSpec(exampleInput(changes));
}

function assertValid(spec: OciSpec): void {
  assert.ok(validate(JSON.parse(encodeSpec(spec))), JSON.stringify(validate.errors));
}

const loopDevice: ResolvedDevice = { path: '/dev/loop0', type: 'b', major: 7, minor: 0, mode: 0o660, uid: 0, gid: 6, permissions: 'rwm' };

/** A container that asks for nearly everything at once. */
const rich: Changes = {
  config: {
    tty: true,
    envs: [{ key: 'A', value: Buffer.from('1') }],
    workingDir: '/srv',
    mounts: [
      { ...unset(Mount), containerPath: '/data', hostPath: '/srv/data', propagation: MountPropagation.PROPAGATION_BIDIRECTIONAL },
      { ...unset(Mount), containerPath: '/etc/hosts', hostPath: '/var/lib/kubelet/hosts', readonly: true, mountOptions: ['nosuid'] },
    ],
  },
  input: { devices: [loopDevice], hostDevices: [loopDevice], image: { Env: ['PATH=/bin', 'B=2'], Cmd: ['/x'], User: '1000' } },
};
const idMappings = [{ containerId: 0, hostId: 65_536, length: 65_536 }];
const inUserNamespace: Changes = {
  podNamespaces: { usernsOptions: { mode: NamespaceMode.POD, uids: idMappings, gids: idMappings } },
  mount: { uidMappings: idMappings, gidMappings: idMappings },
  input: { namespaces: { network: '/n', ipc: '/i', uts: '/u', user: '/user' } },
};
const richSecurity: Changes['security'] = {
  noNewPrivs: true,
  readonlyRootfs: true,
  maskedPaths: ['/proc/kcore'],
  readonlyPaths: ['/proc/sys'],
  seccomp: { profileType: SecurityProfile_ProfileType.RuntimeDefault, localhostRef: '' },
  selinuxOptions: { user: '', role: '', type: '', level: 's0:c1,c2' },
  capabilities: { addCapabilities: ['NET_ADMIN'], dropCapabilities: ['MKNOD'], addAmbientCapabilities: ['CHOWN'] },
};
const richResources: Changes['resources'] = {
  cpuShares: 512n, cpuQuota: 50_000n, cpuPeriod: 100_000n, cpusetCpus: '0-1', cpusetMems: '0', memoryLimitInBytes: 1n << 40n, oomScoreAdj: 500n,
  hugepageLimits: [{ pageSize: '1GB', limit: 0n }], unified: { 'memory.high': 'max' },
};

function richInput(facts: Changes['facts'] = {}): SpecInput {
  const { linux, ...config } = exampleInput({ security: richSecurity, resources: richResources }).config;
  return exampleInput({ ...rich, config: { ...config, linux, ...rich.config }, facts: { ...facts } });
}

test('what is built is valid by the OCI runtime specification, plain, rich and privileged', () => {
  assertValid(build());
  assertValid(buildContainerSpec(richInput()));
  assertValid(build({ ...rich, security: { privileged: true } }));
  assertValid(build(inUserNamespace));
});

test('an unsaid container gets the defaults that Kubernetes documents', () => {
  const spec = build();

  assert.deepEqual(spec.process.env, ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'HOSTNAME=shop']);
  assert.deepEqual(spec.process.rlimits, [{ type: 'RLIMIT_NOFILE', soft: 1_048_576n, hard: 1_048_576n }]);
  assert.deepEqual(spec.linux.namespaces.map(({ type }) => type), ['mount', 'network', 'ipc', 'uts', 'pid', 'cgroup']);
  assert.deepEqual(spec.linux.resources, { devices: [{ allow: false, access: 'rwm' }] });
  assert.deepEqual(
    spec.mounts.map(({ destination }) => destination),
    ['/proc', '/dev', '/dev/pts', '/dev/mqueue', '/sys', '/sys/fs/cgroup', '/dev/shm', '/etc/hostname', '/etc/resolv.conf'],
  );
  assert.equal(spec.process.cwd, '/');
  assert.equal(spec.hostname, 'shop');
  assert.equal(spec.linux.cgroupsPath, '/kubepods/pod1/c1');
});

test('a pod on the network of its node has no name of its own to set', () => {
  const spec = build({ podNamespaces: { network: 2 }, input: { namespaces: { ipc: '/i' }, hostname: 'node1' } });

  assert.equal(spec.hostname, undefined);
  assert.ok(spec.process.env.includes('HOSTNAME=node1'));
  assert.deepEqual(spec.linux.namespaces.map(({ type }) => type), ['mount', 'ipc', 'pid', 'cgroup']);
});

test('a pod that should have a UTS namespace and has none is not started with the name of the host', () => {
  const attempt = (): OciSpec => build({ input: { namespaces: { network: '/n', ipc: '/i' } } });

  assert.throws(attempt, { kind: 'failed-precondition', message: 'join namespace uts: the pod has no such namespace of its own' });
});

test('a container has a cgroup namespace of its own on cgroup v2 only, and not when privileged', () => {
  const types = (changes: Changes): string[] => build(changes).linux.namespaces.map(({ type }) => type);

  assert.ok(types({ facts: { cgroupMode: 'v2' } }).includes('cgroup'));
  assert.ok(!types({ facts: { cgroupMode: 'hybrid' } }).includes('cgroup'));
  assert.ok(!types({ facts: { cgroupMode: 'v2' }, security: { privileged: true } }).includes('cgroup'));
});

test('the image is run as it says where the container says nothing', () => {
  const image = { Entrypoint: ['/x'], Cmd: ['y'], WorkingDir: 'app/', Env: ['PATH=/opt', 'HOME=/h', 'HOSTNAME=no', 'BROKEN', 'E=a=b', 'EMPTY='] };
  const { process } = build({ config: { command: [] }, input: { image } });

  assert.deepEqual(process.args, ['/x', 'y']);
  assert.equal(process.cwd, '/app');
  assert.deepEqual(process.env, ['PATH=/opt', 'HOME=/h', 'HOSTNAME=shop', 'E=a=b', 'EMPTY=']);
});

test('command and args replace Entrypoint and Cmd by the table of Kubernetes', () => {
  const image = { Entrypoint: ['/ep'], Cmd: ['cmd'] };
  const args = (config: Partial<ContainerConfig>, from: SpecInput['image'] = image): readonly string[] => build({ config, input: { image: from } }).process.args;

  assert.deepEqual(args({ command: [], args: [] }), ['/ep', 'cmd']);
  assert.deepEqual(args({ command: ['/c'], args: [] }), ['/c']);
  assert.deepEqual(args({ command: [], args: ['a'] }), ['/ep', 'a']);
  assert.deepEqual(args({ command: ['/c'], args: ['a'] }), ['/c', 'a']);
  assert.deepEqual(args({ command: [], args: [] }, { Entrypoint: [''], Cmd: ['cmd'] }), ['cmd']);
  assert.deepEqual(args({ command: [], args: ['/a'] }, {}), ['/a']);
});

test('a container with nothing to run is refused, and told what to do', () => {
  for (const image of [{}, { Entrypoint: null, Cmd: null }, { Entrypoint: [''] }]) {
    assert.throws(() => build({ config: { command: [] }, input: { image } }), {
      kind: 'failed-precondition',
      message: 'choose what to run: the image has no Entrypoint and no Cmd, and the container has no command: set one',
    });
  }
});

test('a refused text of the image is named where it stands', () => {
  const attempt = (image: SpecInput['image']) => (): OciSpec => build({ config: { command: [] }, input: { image } });

  assert.throws(attempt({ Cmd: [''] }), { message: 'check image config.Cmd[0]: the program has an empty name' });
  assert.throws(attempt({ Cmd: ['x'], WorkingDir: 'x\0' }), { message: 'check image config.WorkingDir: it has a NUL byte' });
  assert.throws(attempt({ Cmd: ['x'], Env: ['A=\0'] }), { message: 'check image config.Env: it has a NUL byte' });
});

test('the container has the last word on its environment', () => {
  const envs = ['PATH', 'HOME', 'HOSTNAME', 'TERM'].map((key) => ({ key, value: Buffer.from('mine') }));
  const { env } = build({ config: { envs, tty: true } }).process;

  assert.deepEqual(env, ['PATH=mine', 'TERM=mine', 'HOME=mine', 'HOSTNAME=mine']);
});

test('a user without an entry in the image is at home in /', () => {
  const { env } = build({ input: { identity: { uid: 7, gid: 0, additionalGids: [0], home: undefined } } }).process;

  assert.ok(env.includes('HOME=/'));
});

test('parents are mounted before what lies in them', () => {
  const volumes = ['/a/b/c', '/a', '/z', '/a/b'].map((containerPath) => ({ ...unset(Mount), containerPath, hostPath: '/v' }));
  const spec = build({ config: { mounts: volumes } });

  const order = spec.mounts.filter(({ source }) => source === '/v').map(({ destination }) => destination);
  assert.deepEqual(order, ['/a', '/z', '/a/b', '/a/b/c']);
});

test('a volume takes the place of a default mount and of those below it', () => {
  const destinations = (containerPath: string): string[] => build({ mount: { containerPath } }).mounts.map(({ destination }) => destination);

  assert.deepEqual(destinations('/dev'), ['/proc', '/sys', '/sys/fs/cgroup', '/dev', '/dev/shm', '/etc/hostname', '/etc/resolv.conf']);
  assert.deepEqual(destinations('/sys/fs/'), ['/proc', '/dev', '/dev/pts', '/dev/mqueue', '/sys', '/dev/shm', '/etc/hostname', '/etc/resolv.conf', '/sys/fs']);
  assert.ok(destinations('/device').includes('/dev'));
});

test('a volume takes the place of a file of the pod', () => {
  const spec = build({ mount: { containerPath: '/etc/resolv.conf', hostPath: '/mine' } });

  assert.deepEqual(spec.mounts.filter(({ destination }) => destination === '/etc/resolv.conf').map(({ source }) => source), ['/mine']);
});

test("what the image declares is mounted above the pod's files and below what the CRI mounts", () => {
  const spec = build({ mount: { containerPath: '/srv', hostPath: '/mine' }, input: { volumes: { mounts: ['/real/mine'], declared: [{ destination: '/srv', source: '/own/0' }, { destination: '/srv/deep', source: '/own/1' }] } } });

  assert.deepEqual(spec.mounts.filter(({ destination }) => destination.startsWith('/srv')), [
    { destination: '/srv', type: 'bind', source: '/own/0', options: ['rbind', 'rprivate', 'rw'] },
    { destination: '/srv', type: 'bind', source: '/real/mine', options: ['rbind', 'rprivate', 'rw'] },
    { destination: '/srv/deep', type: 'bind', source: '/own/1', options: ['rbind', 'rprivate', 'rw'] },
  ]);
});

test('the files of the pod are read-only where the root is', () => {
  const access = (readonlyRootfs: boolean): (string | undefined)[] =>
    build({ security: { readonlyRootfs } }).mounts.filter(({ type }) => type === 'bind').map(({ options }) => options.at(-1));

  assert.deepEqual(access(true), ['rw', 'ro', 'ro'], 'shared memory stays writable');
  assert.deepEqual(access(false), ['rw', 'rw', 'rw']);
});

test('a privileged container has every device of the host, and its own under the name it asked for', () => {
  const own = { ...loopDevice, minor: 9 };
  const spec = build({ security: { privileged: true }, input: { devices: [own], hostDevices: [loopDevice, { ...loopDevice, path: '/dev/loop1', minor: 1 }] } });

  assert.deepEqual(spec.linux.devices.map(({ path, minor }) => [path, minor]), [['/dev/loop1', 1], ['/dev/loop0', 9]]);
});

test('the daemon gives no limit and no capability that it does not have', () => {
  const spec = build({ security: { privileged: true }, facts: { capabilities: ['CAP_KILL'], hardLimits: { nofile: 20_000n }, hasSysResource: false, oomScoreAdj: 3 } });

  assert.deepEqual(spec.process.capabilities.bounding, ['CAP_KILL']);
  assert.deepEqual(spec.process.rlimits, [{ type: 'RLIMIT_NOFILE', soft: 20_000n, hard: 20_000n }]);
  assert.equal(spec.process.oomScoreAdj, 3);
});

test('what is inheritable is empty unless it shall be ambient (CVE-2022-24769)', () => {
  assert.deepEqual(build({ security: { privileged: true } }).process.capabilities.inheritable, []);
  assert.deepEqual(buildContainerSpec(richInput()).process.capabilities.inheritable, ['CAP_CHOWN']);
});

test('no annotation of a user reaches the runtime (CVE-2023-6476, CVE-2024-3154)', () => {
  const spec = build({ config: { annotations: { 'run.oci.keep_original_groups': '1', 'org.systemd.property.X': 'y', 'io.kubernetes.cri.container-type': 'sandbox' } } });

  assert.deepEqual(spec.annotations, {
    'io.kubernetes.cri.container-type': 'container',
    'io.kubernetes.cri.sandbox-id': 'f00d'.repeat(16),
    'io.kubernetes.cri.sandbox-name': 'shop',
    'io.kubernetes.cri.sandbox-namespace': 'default',
    'io.kubernetes.cri.sandbox-uid': '1234',
    'io.kubernetes.cri.container-name': 'web',
    'io.kubernetes.cri.image-name': '',
  });
});

test('a build changes nothing of its input', () => {
  const input = freeze(richInput());

  assert.doesNotThrow(() => buildContainerSpec(input));
});

test('two builds share nothing: spoiling one leaves the other and the next as they were (CVE-2021-21334)', () => {
  for (const change of [{}, { security: { privileged: true } }] satisfies Changes[]) {
    const input = change.security === undefined ? richInput() : exampleInput({ ...rich, ...change });
    const first = buildContainerSpec(input);
    const second = buildContainerSpec(input);
    const expected = encodeSpec(second);

    spoil(first);

    assert.equal(encodeSpec(second), expected);
    assert.equal(encodeSpec(buildContainerSpec(input)), expected);
  }
});

test('hostile values give a valid spec or a refusal, never a crash', () => {
  fc.assert(
    fc.property(hostileChanges, (changes) => {
      const spec = builtOrRefused(changes);
      if (spec !== undefined) assertValid(spec);
    }),
    { numRuns: 500 },
  );
});

test('no NUL byte passes from any text into the spec', () => {
  fc.assert(
    fc.property(hostileChanges, (changes) => {
      const spec = builtOrRefused(changes);
      if (spec !== undefined) assert.ok(!encodeSpec(spec).includes('\\u0000'));
    }),
    { numRuns: 500 },
  );
});

test('no mount lies outside of what its path says', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('/', '.', '..', 'a', '\\') }), (containerPath) => {
      for (const { destination } of builtOrRefused({ mount: { containerPath } })?.mounts ?? []) assert.match(destination, /^(\/(?!\.{1,2}(\/|$))[^/]+)+$/);
    }),
  );
});

/** The spec, or undefined when it was refused in the way that refusals are made. */
function builtOrRefused(changes: Changes): OciSpec | undefined {
  try {
    return build(changes);
  } catch (error) {
    assert.ok(error instanceof GantryError && !isKind(error, 'internal'), String(error));
    return undefined;
  }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Buffer.isBuffer(value)) {
    for (const child of Object.values(value)) freeze(child);
    Object.freeze(value);
  }
  return value;
}

/** Overwrites everything in a value that can be overwritten. */
function spoil(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const child of Object.values(value)) spoil(child);
  if (Array.isArray(value)) value.length = 0;
  else for (const key of Object.keys(value)) (value as Record<string, unknown>)[key] = 'spoilt';
}
