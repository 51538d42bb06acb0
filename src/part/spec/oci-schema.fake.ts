/**
 * What the OCI runtime specification 1.0.2 says about the properties that Gantry writes, as a JSON schema for tests. Stricter than the
 * specification's own schema in one way: a property that is not listed is an error, so that a misspelt one is found. Looser in one: rootfsPropagation
 * may have the recursive names, which every runtime knows and the specification's text leaves out.
 */
const text = { type: 'string' };
const texts = { type: 'array', items: text };
const textMap = { type: 'object', additionalProperties: text };
const flag = { type: 'boolean' };
const uint32 = { type: 'integer', minimum: 0, maximum: 0xffff_ffff };
const int64 = { type: 'integer', minimum: -(2 ** 63), maximum: 2 ** 63 };
const uint64 = { type: 'integer', minimum: 0, maximum: 2 ** 64 };
const absolute = { type: 'string', pattern: '^/' };
const capabilities = { type: 'array', items: { type: 'string', pattern: '^CAP_[A-Z_]+$' }, uniqueItems: true };

function record(required: Readonly<Record<string, object>>, optional: Readonly<Record<string, object>> = {}): object {
  return { type: 'object', required: Object.keys(required), properties: { ...required, ...optional }, additionalProperties: false };
}

function list(items: object): object {
  return { type: 'array', items };
}

function oneOf(...values: string[]): object {
  return { enum: values };
}

const idMappings = list(record({ containerID: uint32, hostID: uint32, size: uint32 }));
const deviceType = oneOf('c', 'b');
const seccompAction = { type: 'string', pattern: '^SCMP_ACT_[A-Z_]+$' };

const process = record(
  {
    args: { ...texts, minItems: 1 },
    env: { type: 'array', items: { type: 'string', pattern: '^[^=]+=' } },
    cwd: absolute,
    terminal: flag,
    user: record({ uid: uint32, gid: uint32 }, { umask: uint32, additionalGids: list(uint32) }),
    capabilities: record({}, { bounding: capabilities, effective: capabilities, permitted: capabilities, inheritable: capabilities, ambient: capabilities }),
    noNewPrivileges: flag,
  },
  {
    rlimits: list(record({ type: { type: 'string', pattern: '^RLIMIT_[A-Z]+$' }, soft: uint64, hard: uint64 })),
    oomScoreAdj: { type: 'integer', minimum: -1000, maximum: 1000 },
    apparmorProfile: text,
    selinuxLabel: text,
  },
);

const blockIoWeight = { type: 'integer', minimum: 10, maximum: 1000 };
const throttles = list(record({ major: int64, minor: int64, rate: uint64 }));

const resources = record(
  {},
  {
    devices: list(record({ allow: flag }, { type: deviceType, major: int64, minor: int64, access: { type: 'string', pattern: '^[rwm]{1,3}$' } })),
    cpu: record({}, { shares: uint64, quota: int64, period: uint64, cpus: text, mems: text }),
    memory: record({}, { limit: int64, swap: int64 }),
    pids: record({ limit: int64 }),
    hugepageLimits: list(record({ pageSize: { type: 'string', pattern: '^[1-9][0-9]*[KMG]B$' }, limit: uint64 })),
    unified: textMap,
    blockIO: record({}, {
      weight: blockIoWeight, weightDevice: list(record({ major: int64, minor: int64, weight: blockIoWeight })),
      throttleReadBpsDevice: throttles, throttleWriteBpsDevice: throttles, throttleReadIOPSDevice: throttles, throttleWriteIOPSDevice: throttles,
    }),
  },
);

const seccomp = record(
  { defaultAction: seccompAction },
  {
    defaultErrnoRet: uint32,
    architectures: list({ type: 'string', pattern: '^SCMP_ARCH_[A-Z0-9_]+$' }),
    flags: texts,
    listenerPath: text,
    listenerMetadata: text,
    syscalls: list(
      record(
        { names: { ...texts, minItems: 1 }, action: seccompAction },
        { errnoRet: uint32, args: list(record({ index: uint32, value: uint64, op: { type: 'string', pattern: '^SCMP_CMP_[A-Z_]+$' } }, { valueTwo: uint64 })) },
      ),
    ),
  },
);

const linux = record(
  { namespaces: list(record({ type: oneOf('mount', 'pid', 'network', 'ipc', 'uts', 'user', 'cgroup', 'time') }, { path: absolute })) },
  {
    uidMappings: idMappings,
    gidMappings: idMappings,
    cgroupsPath: text,
    resources,
    devices: list(
      record({ type: oneOf('c', 'b', 'u', 'p'), path: absolute }, { major: int64, minor: int64, fileMode: { type: 'integer', minimum: 0, maximum: 0o777 }, uid: uint32, gid: uint32 }),
    ),
    maskedPaths: list(absolute),
    readonlyPaths: list(absolute),
    rootfsPropagation: oneOf('private', 'shared', 'slave', 'unbindable', 'rprivate', 'rshared', 'rslave'),
    mountLabel: text,
    seccomp,
    intelRdt: record({}, { closID: text, l3CacheSchema: text, memBwSchema: text }),
  },
);

const hooks = list(record({ path: absolute }, { args: texts, env: texts, timeout: { type: 'integer', minimum: 1 } }));

export const ociSchema = record(
  { ociVersion: { type: 'string', pattern: '^1\\.0\\.' }, root: record({ path: absolute }, { readonly: flag }), process, linux },
  { hostname: text, mounts: list(record({ destination: absolute }, { type: text, source: text, options: texts, uidMappings: idMappings, gidMappings: idMappings })), annotations: textMap, hooks: record({}, { prestart: hooks, createRuntime: hooks, createContainer: hooks, startContainer: hooks, poststart: hooks, poststop: hooks }) },
);
