import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { arch, release } from 'node:os';
import { join } from 'node:path';
import { hasCode } from '../../base/errors.ts';
import { libc } from '../../host/libc.ts';
import { parseHardLimits } from './ulimits.ts';
import type { HardLimits } from './ulimits.ts';
import { capabilitiesOfMask, capabilityNames } from '../../base/capabilities.ts';

/** What this host and this daemon can do, as far as it shapes a spec. Gathered once at start; plain values, so that tests can make their own. */
export interface HostFacts {
  /** hybrid: v1 controllers beside a mounted, mostly empty v2 tree. */
  readonly cgroupMode: 'v1' | 'hybrid' | 'v2';
  /** A hugetlb controller is mounted where a runtime looks for it. */
  readonly hugetlb: boolean;
  /** The kernel can limit swap by cgroup. */
  readonly swapAccounting: boolean;
  /** The capabilities that the daemon can give: those in its bounding and its permitted set. */
  readonly capabilities: readonly string[];
  /** Whether oom_score_adj can be lowered and rlimits raised (CAP_SYS_RESOURCE in force). */
  readonly hasSysResource: boolean;
  /** The daemon's own hard limits, by the name that `default_ulimits` has for them. */
  readonly hardLimits: HardLimits;
  /** RLIMIT_STACK of the daemon, in bytes, which containers inherit: it bounds arguments and environment. */
  readonly stackSoftLimit: bigint;
  /** The daemon's own oom_score_adj. */
  readonly oomScoreAdj: number;
  /** As image platforms and seccomp profiles name it: amd64, arm64, … */
  readonly architecture: string;
  readonly kernel: KernelVersion;
  /** mount_setattr(2) is there, with which a runtime makes mounts read-only recursively. */
  readonly recursiveReadOnly: boolean;
}

export interface KernelVersion {
  readonly major: number;
  readonly minor: number;
}

const cgroupRoot = '/sys/fs/cgroup';
const cgroup2Magic = 0x63677270;
const unlimited = 0xffff_ffff_ffff_ffffn; // RLIM_INFINITY

/** Reads the facts from /proc and /sys. Synchronous and short: for the start of the daemon. */
export function gatherHostFacts(): HostFacts {
  const status = parseProcStatus(readFileSync('/proc/self/status', 'utf8'));
  const cgroupMode = detectCgroupMode();
  const kernel = parseKernelVersion(release());
  return {
    cgroupMode,
    hugetlb: cgroupMode === 'v2' ? /\bhugetlb\b/.test(readIfThere(`${cgroupRoot}/cgroup.controllers`)) : hasV1Controller(readFileSync('/proc/self/mountinfo', 'utf8'), 'hugetlb'),
    swapAccounting: cgroupMode === 'v2' ? hasSwapFileV2() : existsSync(`${cgroupRoot}/memory/memory.memsw.limit_in_bytes`),
    capabilities: status.capabilities,
    hasSysResource: status.effective.includes('CAP_SYS_RESOURCE'),
    hardLimits: parseHardLimits(readFileSync('/proc/self/limits', 'utf8')),
    stackSoftLimit: parseSoftLimit(readFileSync('/proc/self/limits', 'utf8'), 'Max stack size'),
    oomScoreAdj: Number(readFileSync('/proc/self/oom_score_adj', 'utf8')),
    architecture: goArchitecture(arch()),
    kernel,
    recursiveReadOnly: isAtLeast(kernel, { major: 5, minor: 12 }),
  };
}

/** What containers on this host go without, one sentence each, for the log at start. Empty on an ordinary node with full powers. */
export function describeShortcomings(facts: HostFacts): string[] {
  const missing = capabilityNames.filter((name) => !facts.capabilities.includes(name));
  return [
    ...(missing.length === 0 ? [] : [`privileged containers go without ${missing.join(', ')}, which gantry itself does not have`]),
    ...(facts.hasSysResource ? [] : [`containers cannot be protected from the OOM killer below oom_score_adj ${facts.oomScoreAdj}: gantry has no CAP_SYS_RESOURCE`]),
    ...(facts.hugetlb ? [] : ['limits of huge pages are ignored: no hugetlb cgroup controller is mounted']),
    ...(facts.swapAccounting ? [] : ['limits of swap are ignored: the kernel does not account for it']),
  ];
}

export function isAtLeast(version: KernelVersion, least: KernelVersion): boolean {
  return version.major > least.major || (version.major === least.major && version.minor >= least.minor);
}

/** The head of `uname -r` or of a profile's minKernel: `6.1.0-28-amd64` is 6.1. */
export function parseKernelVersion(text: string): KernelVersion {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  return { major: Number(major), minor: Number(minor) };
}

/** The capability lines of /proc/PID/status, proc_pid_status(5). */
export function parseProcStatus(text: string): { capabilities: string[]; effective: string[] } {
  const set = (name: string): string[] => capabilitiesOfMask(new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(text)?.[1] ?? '0');
  const permitted = new Set(set('CapPrm'));
  return { capabilities: set('CapBnd').filter((name) => permitted.has(name)), effective: set('CapEff') };
}

/** The soft limit in a line of /proc/PID/limits; RLIM_INFINITY when unlimited. */
export function parseSoftLimit(text: string, name: string): bigint {
  const soft = new RegExp(`^${name}\\s+(\\d+|unlimited)\\s`, 'm').exec(text)?.[1];
  return soft === undefined || soft === 'unlimited' ? unlimited : BigInt(soft);
}
/** Whether mountinfo, proc_pid_mountinfo(5), has a cgroup v1 hierarchy with this controller. */
export function hasV1Controller(mountinfo: string, controller: string): boolean {
  return mountinfo.split('\n').some((line) => {
    const [type, , options = ''] = (line.split(' - ')[1] ?? '').split(' ');
    return type === 'cgroup' && options.split(',').includes(controller);
  });
}

function detectCgroupMode(): HostFacts['cgroupMode'] {
  if (libc.filesystemType(cgroupRoot) === cgroup2Magic) return 'v2';
  return existsSync(`${cgroupRoot}/unified`) && libc.filesystemType(`${cgroupRoot}/unified`) === cgroup2Magic ? 'hybrid' : 'v1';
}

// The root cgroup has no memory.swap.max; any child with the memory controller has it when swap is accounted for.
function hasSwapFileV2(): boolean {
  return readdirSync(cgroupRoot, { withFileTypes: true }).some((entry) => entry.isDirectory() && existsSync(join(cgroupRoot, entry.name, 'memory.swap.max')));
}

function goArchitecture(node: string): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };
  return names[node] ?? node;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
