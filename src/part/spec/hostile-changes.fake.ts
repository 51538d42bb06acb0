/** Random inputs for property tests: what a broken or a malicious client, or an image, could make of them. */
import * as fc from 'fast-check';
import { ImageSpec, KeyValue, Mount } from '../../gen/cri.ts';
import type { IDMapping, UserNamespace } from '../../gen/cri.ts';
import type { Changes } from './example-input.fake.ts';
import { choice, few, number, some, text, texts } from './hostile-values.fake.ts';

const absolute = text('/', '/srv', '/var/lib/x/', '/dev', '/etc/resolv.conf');
const volumePath = text('/data', '/dev/shm', '/sys//fs/', '/proc/./sys');
const bytes = fc.oneof({ weight: 19, arbitrary: text('', 'v', '=').map((value) => Buffer.from(value)) }, { weight: 1, arbitrary: fc.uint8Array().map((value) => Buffer.from(value)) });
const profile = fc.oneof(fc.record({ profileType: choice(0, 1), localhostRef: text('') }), fc.record({ profileType: choice(2), localhostRef: text('/p.json', 'shop') }));

const uint32 = fc.oneof({ weight: 19, arbitrary: fc.constantFrom(0, 65_536) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff_ffff }) });
const idMappings: fc.Arbitrary<IDMapping[]> = fc.oneof(
  { weight: 9, arbitrary: fc.constant<IDMapping[]>([{ containerId: 0, hostId: 65_536, length: 65_536 }]) },
  { weight: 1, arbitrary: few(fc.record({ containerId: uint32, hostId: uint32, length: uint32 })) },
);
const none: fc.Arbitrary<IDMapping[]> = fc.constant<IDMapping[]>([]);
const usernsOptions: fc.Arbitrary<UserNamespace | undefined> = fc.oneof(fc.constant(undefined), fc.record({ mode: choice(2), uids: none, gids: none }), fc.record({ mode: choice(0), uids: idMappings, gids: idMappings }));

export const hostileChanges: fc.Arbitrary<Changes> = fc.record(
  {
    config: fc.record(
      {
        command: texts('/bin/x'),
        args: texts('-v'),
        workingDir: absolute,
        tty: fc.boolean(),
        envs: few(some(KeyValue, { value: bytes }).chain((entry) => text('A', 'PATH', 'a.b-c').map((key) => ({ ...entry, key })))),
        mounts: few(
          fc.tuple(some(Mount, { readonly: fc.boolean(), propagation: choice(0, 1, 2), mountOptions: texts('noexec', 'nodev'), image: some(ImageSpec, { image: text('shop:1') }), imageSubPath: text('', 'a/b') }), volumePath, absolute)
            .map(([mount, containerPath, hostPath]) => ({ ...mount, containerPath, hostPath: mount.image === undefined ? hostPath : '', readonly: mount.readonly || mount.image !== undefined })),
        ),
      },
      { requiredKeys: [] },
    ),
    security: fc.record(
      {
        privileged: fc.boolean(),
        capabilities: fc.record({ addCapabilities: texts('ALL', 'NET_ADMIN'), dropCapabilities: texts('ALL', 'cap_kill'), addAmbientCapabilities: texts('CHOWN') }),
        selinuxOptions: fc.record({ user: text('', 'u'), role: text('', 'r'), type: text('', 't'), level: text('', 's0:c1') }),
        maskedPaths: texts('/proc/kcore'),
        readonlyPaths: texts('/proc/sys/'),
        seccomp: profile,
        apparmor: profile,
        apparmorProfile: text('', 'runtime/default', 'localhost/shop'),
        seccompProfilePath: text('', 'unconfined', 'localhost//p.json'),
      },
      { requiredKeys: [] },
    ),
    namespaces: fc.oneof(
      { weight: 9, arbitrary: fc.record({ network: choice(0), pid: choice(1, 2), ipc: choice(0), targetId: text(''), usernsOptions }, { requiredKeys: [] }) },
      { weight: 1, arbitrary: fc.record({ pid: choice(3), targetId: text('c') }) },
    ),
    podNamespaces: fc.record({ usernsOptions }, { requiredKeys: [] }),
    resources: fc.record(
      {
        cpuPeriod: number(0n, 100_000n), cpuQuota: number(-1n, 0n, 9000n), cpuShares: number(2n), memoryLimitInBytes: number(0n, 9n), memorySwapLimitInBytes: number(0n, -1n, 99n),
        oomScoreAdj: number(0n, -998n, 1000n), cpusetCpus: text('', '0-1'), cpusetMems: text('', '0'),
        hugepageLimits: few(fc.record({ pageSize: text('2MB', '64KB'), limit: fc.bigInt(0n, 2n ** 64n - 1n) })),
        unified: fc.dictionary(text('memory.high'), text('max'), { maxKeys: 2 }),
      },
      { requiredKeys: [] },
    ),
    input: fc.record(
      {
        image: fc.record({ Env: texts('A=1', 'B'), Entrypoint: texts('/e'), Cmd: texts('c'), WorkingDir: absolute }, { requiredKeys: [] }),
        hostname: text('shop'),
        selinux: fc.constantFrom(undefined, { contexts: { process: 'u:r:p_t:s0', file: 'u:object_r:f_t:s0' }, podLevel: 's0:c1,c2' }),
        apparmor: fc.constantFrom(undefined, { defaultProfile: 'd', loaded: new Set(['shop']) }),
        localhostSeccomp: text('{"defaultAction":"SCMP_ACT_LOG"}', '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_TRAP"}]}', '[]'),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);
