/** What the node's defaults and a handler's settings make of a spec, setting by setting; the CRI's fields are in cri-fields.test.ts. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Ajv } from 'ajv';
import { Capability, SecurityProfile_ProfileType } from '../../gen/cri.ts';
import { buildContainerSpec } from './build-container-spec.ts';
import { encodeSpec } from './encode-spec.ts';
import { exampleInput, unset } from './example-input.fake.ts';
import type { Changes } from './example-input.fake.ts';
import { ociSchema } from './oci-schema.fake.ts';
import type { OciSpec } from './oci-spec.ts';

const build = (changes: Changes): OciSpec => buildContainerSpec(exampleInput(changes));
const withMount = (containerPath: string): Changes => ({ mount: { containerPath, hostPath: '/x' } });

test('a spec with every default is valid by the OCI runtime specification', () => {
  const spec = build({
    defaults: { ulimits: [{ name: 'core', soft: 0, hard: -1 }], env: { A: '1' }, capabilities: ['CAP_CHOWN'], pidsLimit: 100, umask: 0o077, localtime: '/usr/share/zoneinfo/Europe/Berlin', restrictOomScore: true },
    handler: { annotations: { a: 'b' }, minMemory: 1 },
  });
  const validate = new Ajv({ allErrors: true, strict: false }).compile(ociSchema);

  assert.ok(validate(JSON.parse(encodeSpec(spec))), JSON.stringify(validate.errors));
});

test('limits, mask and the most processes', () => {
  const { process, linux } = build({ defaults: { ulimits: [{ name: 'nofile', soft: 10, hard: 20 }], umask: 0o027, pidsLimit: 50 } });

  assert.deepEqual(process.rlimits, [{ type: 'RLIMIT_NOFILE', soft: 10n, hard: 20n }]);
  assert.equal(process.user.umask, 0o027);
  assert.deepEqual(linux.resources.pids, { limit: 50 });
});

test('no limit of processes is no word of it, and the key of cgroup v2 wins', () => {
  assert.equal(build({}).linux.resources.pids, undefined);
  assert.equal(build({ defaults: { pidsLimit: 5 }, resources: { unified: { 'pids.max': '9' } } }).linux.resources.pids, undefined);
});

test('default variables come before those of the image and of the container', () => {
  const env = build({
    defaults: { env: { PATH: '/node', HOME: '/node', ONE: 'node', TWO: 'node', THREE: 'node' } },
    input: { image: { Env: ['TWO=image', 'THREE=image'] } },
    config: { envs: [{ key: 'THREE', value: Buffer.from('container') }] },
  }).process.env;

  assert.deepEqual(env.filter((entry) => !entry.startsWith('HOSTNAME')), ['PATH=/node', 'HOME=/node', 'ONE=node', 'TWO=image', 'THREE=container']);
});

test('adding and dropping starts from the default capabilities', () => {
  const bounding = (capabilities: Partial<Capability>): readonly string[] =>
    build({ defaults: { capabilities: ['CAP_CHOWN', 'CAP_KILL'] }, security: { capabilities: { ...unset(Capability), ...capabilities } } }).process.capabilities.bounding;

  assert.deepEqual(bounding({}), ['CAP_CHOWN', 'CAP_KILL']);
  assert.deepEqual(bounding({ dropCapabilities: ['KILL'], addCapabilities: ['NET_RAW'] }), ['CAP_CHOWN', 'CAP_NET_RAW']);
  assert.deepEqual(bounding({ dropCapabilities: ['ALL'] }), []);
});

test('a time zone is mounted unless a volume is there', () => {
  const localtime = (changes: Changes): unknown => build({ ...changes, defaults: { localtime: '/usr/share/zoneinfo/Asia/Tokyo' } }).mounts.filter(({ destination }) => destination === '/etc/localtime').map(({ source }) => source);

  assert.deepEqual(localtime({}), ['/usr/share/zoneinfo/Asia/Tokyo']);
  assert.deepEqual(localtime(withMount('/etc/localtime')), ['/x']);
  assert.deepEqual(localtime(withMount('/etc')), []);
});

test('a restricted oom_score_adj is not below that of the daemon', () => {
  const score = (restrictOomScore: boolean, oomScoreAdj: bigint): number => build({ defaults: { restrictOomScore }, facts: { oomScoreAdj: -5 }, resources: { oomScoreAdj } }).process.oomScoreAdj;

  assert.equal(score(true, -998n), -5);
  assert.equal(score(true, 7n), 7);
  assert.equal(score(false, -998n), -998);
});

test('RuntimeDefault is the profile of the node', () => {
  const seccomp = { profileType: SecurityProfile_ProfileType.RuntimeDefault, localhostRef: '' };

  assert.deepEqual(build({ defaults: { seccomp: { defaultAction: 'SCMP_ACT_LOG', syscalls: [] } }, security: { seccomp } }).linux.seccomp, { defaultAction: 'SCMP_ACT_LOG', architectures: [], syscalls: [] });
  const ofHandler = build({ defaults: { seccomp: { defaultAction: 'SCMP_ACT_LOG', syscalls: [] } }, handler: { seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] } }, security: { seccomp } });
  assert.equal(ofHandler.linux.seccomp?.defaultAction, 'SCMP_ACT_ALLOW', "the handler's own comes before");
});

const annotated = (allowedAnnotations: string[], annotations: Record<string, string> = {}): Readonly<Record<string, string>> => {
  const given = exampleInput({ config: { annotations: { 'a.b/c': 'container', 'run.oci.x': 'container', 'io.kubernetes.cri.sandbox-id': 'another' } } });
  return buildContainerSpec({ ...given, podConfig: { ...given.podConfig, annotations: { 'a.b/c': 'pod', 'a.b/d': 'pod', aXb: 'pod' } }, handler: { ...given.handler, allowedAnnotations, annotations } }).annotations;
};
const foreign = (annotations: Readonly<Record<string, string>>): Record<string, string> => Object.fromEntries(Object.entries(annotations).filter(([name]) => !name.startsWith('io.kubernetes.cri.')));

test('only annotations that the handler allows reach its runtime, the container before the pod before the defaults (CVE-2023-6476)', () => {
  assert.deepEqual(foreign(annotated([])), {});
  assert.deepEqual(foreign(annotated(['a.b/*'])), { 'a.b/c': 'container', 'a.b/d': 'pod' });
  assert.deepEqual(foreign(annotated(['a.b/d'], { 'a.b/d': 'default', 'a.b/c': 'default' })), { 'a.b/d': 'pod', 'a.b/c': 'default' });
  assert.deepEqual(foreign(annotated(['a.b'])), {}, 'a pattern fits the whole name, and its dot is a dot');
});

test('no annotation can say that the container is another', () => {
  assert.equal(annotated(['*'])['io.kubernetes.cri.sandbox-id'], 'f00d'.repeat(16));
  assert.equal(annotated([], { 'io.kubernetes.cri.sandbox-id': 'x' })['io.kubernetes.cri.sandbox-id'], 'f00d'.repeat(16));
});

test('a memory limit in which the runtime could not start is refused', () => {
  const limited = (memoryLimitInBytes: bigint) => () => build({ handler: { minMemory: 12 << 20 }, resources: { memoryLimitInBytes } });

  assert.throws(limited(4096n), {
    kind: 'invalid-argument',
    message: 'check config.linux.resources.memory_limit_in_bytes: 4096 is less than the 12582912 bytes that the runtime handler needs (min_memory of its configuration)',
  });
  assert.doesNotThrow(limited(12n << 20n));
  assert.doesNotThrow(limited(0n));
});
