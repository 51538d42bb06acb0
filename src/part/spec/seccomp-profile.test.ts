import { test } from 'node:test';
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { GantryError } from '../../base/errors.ts';
import { SecurityProfile_ProfileType } from '../../gen/cri.ts';
import { buildContainerSpec } from './build-container-spec.ts';
import { capabilityNames, defaultCapabilities } from '../../base/capabilities.ts';
import { defaultSeccompProfile } from './default-seccomp-profile.ts';
import { exampleInput } from './example-input.fake.ts';
import { compileSeccomp, parseSeccompProfile } from './seccomp-profile.ts';
import type { SeccompTarget } from './seccomp-profile.ts';
import { localhostSeccompPath } from './with-seccomp.ts';

const target: SeccompTarget = { architecture: 'amd64', kernel: { major: 6, minor: 1 }, capabilities: defaultCapabilities };

/** The rules of the default filter that name a call, on some machine. */
function defaultRules(name: string, change: Partial<SeccompTarget> = {}): { action: string; args?: unknown; errnoRet?: number }[] {
  const { syscalls } = compileSeccomp(defaultSeccompProfile, { ...target, ...change });
  return syscalls.filter(({ names }) => names.includes(name)).map(({ action, args, errnoRet }) => ({ action, ...(args && { args }), ...(errnoRet && { errnoRet }) }));
}

const allowed = [{ action: 'SCMP_ACT_ALLOW' }];

test('the default filter lets ordinary calls through and answers the rest with EPERM', () => {
  assert.deepEqual(defaultRules('openat'), allowed);
  assert.deepEqual(defaultRules('io_uring_setup'), []);
  assert.deepEqual(defaultRules('keyctl'), []);
  for (const name of ['futex_wait', 'map_shadow_stack', 'mseal', 'statmount', 'listmount', 'setxattrat', 'cachestat', 'fchmodat2', 'uretprobe']) assert.deepEqual(defaultRules(name), allowed, name);
  for (const name of ['userfaultfd', 'add_key', 'io_uring_enter', 'io_uring_register', 'kexec_load', 'swapon', 'pivot_root', 'open_tree_attr', 'vm86']) assert.deepEqual(defaultRules(name), [], name);
  assert.equal(compileSeccomp(defaultSeccompProfile, target).defaultAction, 'SCMP_ACT_ERRNO');
});

test('no call stands in two unconditional rules', () => {
  const names = defaultSeccompProfile.syscalls[0]?.names ?? [];

  assert.equal(new Set(names).size, names.length);
});

test('the default filter lets through what a capability is for, and only then', () => {
  for (const [name, capability] of [
    ['mount', 'CAP_SYS_ADMIN'],
    ['reboot', 'CAP_SYS_BOOT'],
    ['init_module', 'CAP_SYS_MODULE'],
    ['settimeofday', 'CAP_SYS_TIME'],
    ['bpf', 'CAP_BPF'],
    ['lsm_list_modules', 'CAP_SYS_ADMIN'],
    ['open_by_handle_at', 'CAP_DAC_READ_SEARCH'],
  ] as const) {
    assert.deepEqual(defaultRules(name), [], name);
    assert.deepEqual(defaultRules(name, { capabilities: [capability] }), allowed, name);
  }
  assert.deepEqual(defaultRules('chroot'), allowed, 'of the default capabilities');
});

test('new namespaces need CAP_SYS_ADMIN, and clone3 sends callers to clone', () => {
  const noNamespaces = [{ index: 0, value: 0x7e020000n, valueTwo: 0n, op: 'SCMP_CMP_MASKED_EQ' }];

  assert.deepEqual(defaultRules('clone'), [{ action: 'SCMP_ACT_ALLOW', args: noNamespaces }]);
  assert.deepEqual(defaultRules('clone', { architecture: 's390x' }), [{ action: 'SCMP_ACT_ALLOW', args: [{ ...noNamespaces[0], index: 1 }] }]);
  assert.deepEqual(defaultRules('clone3'), [{ action: 'SCMP_ACT_ERRNO', errnoRet: 38 }]);
  assert.deepEqual(defaultRules('clone', { capabilities: ['CAP_SYS_ADMIN'] }), allowed);
  assert.deepEqual(defaultRules('clone3', { capabilities: ['CAP_SYS_ADMIN'] }), allowed);
});

test('sockets of the kernel crypto API and of the hypervisor are not allowed', () => {
  const families = defaultRules('socket').map(({ args }) => (args as { op: string; value: bigint }[])[0]);
  const passes = (family: bigint): boolean =>
    families.some((rule) => (rule?.op === 'SCMP_CMP_LT' && family < rule.value) || (rule?.op === 'SCMP_CMP_EQ' && family === rule.value) || (rule?.op === 'SCMP_CMP_GT' && family > rule.value));

  for (const family of [0n, 1n, 2n, 10n, 16n, 37n, 39n, 41n, 45n]) assert.ok(passes(family), `family ${family}`);
  assert.ok(!passes(38n) && !passes(40n));
});

test('the default filter follows the machine', () => {
  const architectures = (architecture: string): readonly string[] => compileSeccomp(defaultSeccompProfile, { ...target, architecture }).architectures;

  assert.deepEqual(architectures('amd64'), ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
  assert.deepEqual(architectures('arm64'), ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
  assert.deepEqual(architectures('sparc'), [], 'an unknown one: the native alone');
  assert.deepEqual(defaultRules('arch_prctl', { architecture: 'arm64' }), []);
  assert.deepEqual(defaultRules('set_tls', { architecture: 'arm64' }), allowed);
  assert.deepEqual(defaultRules('ptrace', { kernel: { major: 4, minor: 7 } }), []);
  assert.deepEqual(defaultRules('ptrace', { kernel: { major: 4, minor: 8 } }), allowed);
});

test('every capability that the default filter knows exists', () => {
  const named = defaultSeccompProfile.syscalls.flatMap(({ includes, excludes }) => [...(includes?.caps ?? []), ...(excludes?.caps ?? [])]);

  assert.deepEqual(named.filter((name) => !(capabilityNames as readonly string[]).includes(name)), []);
});

test('a profile in the OCI form is taken over', () => {
  const text = JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 38,
    architectures: ['SCMP_ARCH_X86_64'],
    flags: ['SECCOMP_FILTER_FLAG_LOG'],
    syscalls: [{ names: ['read', 'write'], action: 'SCMP_ACT_ALLOW', args: null }],
    comment: 'passed over',
  });

  assert.deepEqual(compileSeccomp(parseSeccompProfile(text, '/p'), target), {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 38,
    architectures: ['SCMP_ARCH_X86_64'],
    flags: ['SECCOMP_FILTER_FLAG_LOG'],
    syscalls: [{ names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' }],
  });
});

test("a profile with Docker's conditions is decided for the machine and the container", () => {
  const rule = (name: string, conditions: object): object => ({ name, action: 'SCMP_ACT_ALLOW', ...conditions });
  const text = JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X32'] }, { architecture: 'SCMP_ARCH_AARCH64' }],
    syscalls: [
      rule('a', { includes: { caps: ['CAP_KILL', 'CAP_CHOWN'] } }),
      rule('b', { includes: { caps: ['CAP_KILL', 'CAP_SYS_ADMIN'] } }),
      rule('c', { includes: { arches: ['arm64', 'amd64'], minKernel: '6.1' } }),
      rule('d', { includes: { minKernel: '6.2' } }),
      rule('e', { excludes: { caps: ['CAP_SYS_ADMIN', 'CAP_KILL'] } }),
      rule('f', { excludes: { arches: ['amd64'] } }),
      rule('g', { excludes: { minKernel: '5.0' } }),
      rule('h', { includes: {}, excludes: { arches: [], caps: ['CAP_SYS_ADMIN'] } }),
    ],
  });

  const { architectures, syscalls } = compileSeccomp(parseSeccompProfile(text, '/p'), target);

  assert.deepEqual(architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X32']);
  assert.deepEqual(syscalls.flatMap(({ names }) => names), ['a', 'c', 'h']);
});

test('arguments keep all their 64 bits', () => {
  const text = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["ioctl"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":18446744073709551615,"valueTwo":9007199254740993,"op":"SCMP_CMP_MASKED_EQ"}]}]}';

  const { syscalls } = parseSeccompProfile(text, '/p');

  assert.deepEqual(syscalls[0]?.args, [{ index: 1, value: 18_446_744_073_709_551_615n, valueTwo: 9_007_199_254_740_993n, op: 'SCMP_CMP_MASKED_EQ' }]);
});

test('a profile that is wrong is refused where it is wrong', () => {
  const base = { defaultAction: 'SCMP_ACT_ALLOW' };
  const withRule = (change: object): object => ({ ...base, syscalls: [{ names: ['a'], action: 'SCMP_ACT_LOG', ...change }] });
  const argument = { index: 0, value: 1, op: 'SCMP_CMP_EQ' };
  for (const [profile, why] of [
    [[], 'profile is not an object'],
    [{}, 'defaultAction is not valid: undefined'],
    [{ defaultAction: 'ALLOW' }, 'defaultAction is not valid: "ALLOW"'],
    [{ ...base, defaultErrnoRet: 5000 }, 'defaultErrnoRet is not a number from 0 to 4095'],
    [{ ...base, architectures: ['x86'] }, 'architectures[0] is not valid: "x86"'],
    [{ ...base, syscalls: {} }, 'syscalls is not a list'],
    [withRule({ names: undefined }), 'syscalls[0].names is not a list'],
    [withRule({ action: 'SCMP_ACT_NOTIFY' }), 'syscalls[0].action is SCMP_ACT_NOTIFY, which needs listenerPath'],
    [{ ...withRule({ action: 'SCMP_ACT_NOTIFY' }), listenerPath: 'agent.sock' }, 'listenerPath is not valid: "agent.sock"'],
    [{ defaultAction: 'SCMP_ACT_NOTIFY', listenerPath: '/agent.sock' }, 'defaultAction is not valid: "SCMP_ACT_NOTIFY"'],
    [{ ...base, flags: ['SECCOMP_FILTER_FLAG_NEW_LISTENER'] }, 'flags[0] is not valid: "SECCOMP_FILTER_FLAG_NEW_LISTENER"'],
    [withRule({ args: [{ ...argument, index: 6 }] }), 'syscalls[0].args[0].index is not a number from 0 to 5'],
    [withRule({ args: [{ ...argument, value: -1 }] }), 'syscalls[0].args[0].value is not a number of 64 bits'],
    [withRule({ args: [{ ...argument, op: 'EQ' }] }), 'syscalls[0].args[0].op is not valid: "EQ"'],
    [withRule({ includes: { minKernel: 'new' } }), 'syscalls[0].includes.minKernel is not valid: "new"'],
  ] as const) {
    assert.throws(() => parseSeccompProfile(JSON.stringify(profile), '/p.json'), { kind: 'failed-precondition', message: `read seccomp profile /p.json: ${why}` });
  }
});

test('a file that is no JSON is refused with its name and the place in it', () => {
  assert.throws(() => parseSeccompProfile('{\n  "defaultAction" "SCMP_ACT_LOG"}', '/p.json'), { kind: 'failed-precondition', message: /^read seccomp profile \/p\.json: .*\(line 2 column 19\)/ });
});

test('a filter that asks a listener carries its socket, and every flag of the specification passes', () => {
  const flags = ['TSYNC', 'LOG', 'SPEC_ALLOW', 'WAIT_KILLABLE_RECV'].map((name) => `SECCOMP_FILTER_FLAG_${name}`);
  const profile = {
    defaultAction: 'SCMP_ACT_ALLOW', flags, listenerPath: '/run/agent.sock', listenerMetadata: 'shop',
    syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
  };

  assert.deepEqual(compileSeccomp(parseSeccompProfile(JSON.stringify(profile), '/p'), target), { ...profile, architectures: [] });
});

test('any JSON is a profile or is refused', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      try {
        compileSeccomp(parseSeccompProfile(JSON.stringify({ defaultAction: 'SCMP_ACT_LOG', syscalls: [value], archMap: value }), '/p'), target);
      } catch (error) {
        assert.ok(error instanceof GantryError, String(error));
      }
    }),
  );
});

test('the path of a Localhost profile is told before the build, and none where no file is needed', () => {
  const path = (security: Parameters<typeof exampleInput>[0]): string | undefined => localhostSeccompPath(exampleInput(security).config);
  const seccomp = { profileType: SecurityProfile_ProfileType.Localhost, localhostRef: '/var/lib/kubelet/seccomp//audit.json' };

  assert.equal(path({ security: { seccomp } }), '/var/lib/kubelet/seccomp/audit.json');
  assert.equal(path({ security: { seccompProfilePath: 'localhost//p.json' } }), '/p.json');
  assert.equal(path({ security: { seccomp, privileged: true } }), undefined);
  assert.equal(path({ security: {} }), undefined);
  assert.equal(path({ config: { linux: undefined } }), undefined);
});

test('a Localhost profile whose file was not there is refused', () => {
  const seccomp = { profileType: SecurityProfile_ProfileType.Localhost, localhostRef: '/p.json' };

  assert.throws(() => buildContainerSpec(exampleInput({ security: { seccomp } })), {
    kind: 'failed-precondition',
    message: 'read seccomp profile /p.json: there is no such file on this node',
  });
});
