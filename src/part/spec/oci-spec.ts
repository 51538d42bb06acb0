/**
 * The part of the OCI runtime specification's config.json (runtime-spec 1.0.2, config.md and config-linux.md) that Gantry writes.
 * What the specification calls int64 or uint64 and what can exceed 2^53 is a bigint here; encodeSpec writes it digit by digit.
 */

export interface OciSpec {
  readonly ociVersion: string;
  readonly root: OciRoot;
  readonly hostname?: string;
  readonly process: OciProcess;
  readonly mounts: readonly OciMount[];
  readonly linux: OciLinux;
  readonly hooks?: OciHooks;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface OciRoot {
  readonly path: string;
  readonly readonly: boolean;
}

export interface OciProcess {
  readonly terminal: boolean;
  readonly user: OciUser;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: OciCapabilities;
  readonly rlimits: readonly OciRlimit[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
}

export interface OciUser {
  readonly uid: number;
  readonly gid: number;
  readonly umask: number;
  readonly additionalGids: readonly number[];
}

/** Each a set of `CAP_…` names, capabilities(7). */
export interface OciCapabilities {
  readonly bounding: readonly string[];
  readonly effective: readonly string[];
  readonly permitted: readonly string[];
  readonly inheritable: readonly string[];
  readonly ambient: readonly string[];
}

export interface OciRlimit {
  readonly type: string;
  readonly soft: bigint;
  readonly hard: bigint;
}

export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
  readonly uidMappings?: readonly OciIdMapping[];
  readonly gidMappings?: readonly OciIdMapping[];
}

/** `size` ids from `containerID` inside are those from `hostID` outside. */
export interface OciIdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface OciLinux {
  readonly namespaces: readonly OciNamespace[];
  readonly uidMappings?: readonly OciIdMapping[];
  readonly gidMappings?: readonly OciIdMapping[];
  readonly cgroupsPath: string;
  readonly resources: OciResources;
  readonly devices: readonly OciDevice[];
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly rootfsPropagation?: 'rshared' | 'rslave';
  readonly mountLabel?: string;
  readonly seccomp?: OciSeccomp;
  readonly intelRdt?: OciIntelRdt;
}

/** Programs that the runtime runs at stages of the container's life, config.md, POSIX-platform hooks. */
export interface OciHooks {
  readonly prestart?: readonly OciHook[];
  readonly createRuntime?: readonly OciHook[];
  readonly createContainer?: readonly OciHook[];
  readonly startContainer?: readonly OciHook[];
  readonly poststart?: readonly OciHook[];
  readonly poststop?: readonly OciHook[];
}

export interface OciHook {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

/** Cache and memory bandwidth by resctrl, config-linux.md. */
export interface OciIntelRdt {
  readonly closID?: string;
  readonly l3CacheSchema?: string;
  readonly memBwSchema?: string;
}

/** Without a path a new namespace is made; a type that is not listed is the runtime's own, that is the host's. */
export interface OciNamespace {
  readonly type: 'mount' | 'pid' | 'network' | 'ipc' | 'uts' | 'cgroup' | 'user';
  readonly path?: string;
}

export interface OciDevice {
  readonly type: 'c' | 'b' | 'p';
  readonly path: string;
  /** Unless it is a FIFO (`p`). */
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid: number;
  readonly gid: number;
}

export interface OciDeviceRule {
  readonly allow: boolean;
  readonly type?: 'c' | 'b';
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

export interface OciResources {
  readonly devices: readonly OciDeviceRule[];
  readonly cpu?: OciCpu;
  readonly memory?: OciMemory;
  readonly pids?: { readonly limit: number };
  readonly hugepageLimits?: readonly OciHugepageLimit[];
  readonly unified?: Readonly<Record<string, string>>;
  readonly blockIO?: OciBlockIo;
}

export interface OciBlockIo {
  /** 10 to 1000. */
  readonly weight?: number;
  readonly weightDevice?: readonly { readonly major: number; readonly minor: number; readonly weight: number }[];
  readonly throttleReadBpsDevice?: readonly OciThrottle[];
  readonly throttleWriteBpsDevice?: readonly OciThrottle[];
  readonly throttleReadIOPSDevice?: readonly OciThrottle[];
  readonly throttleWriteIOPSDevice?: readonly OciThrottle[];
}

/** Bytes or operations a second. */
export interface OciThrottle {
  readonly major: number;
  readonly minor: number;
  readonly rate: bigint;
}

export interface OciCpu {
  readonly shares?: bigint;
  readonly quota?: bigint;
  readonly period?: bigint;
  readonly cpus?: string;
  readonly mems?: string;
}

export interface OciMemory {
  readonly limit?: bigint;
  /** Memory and swap together, as in cgroup v1's memsw. */
  readonly swap?: bigint;
}

export interface OciHugepageLimit {
  readonly pageSize: string;
  readonly limit: bigint;
}

export interface OciSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures: readonly string[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls: readonly OciSyscall[];
}

export interface OciSyscall {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly OciSyscallArg[];
}

export interface OciSyscallArg {
  readonly index: number;
  readonly value: bigint;
  readonly valueTwo?: bigint;
  readonly op: string;
}
