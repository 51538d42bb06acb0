import type { Ulimit } from '../../base/config/container-kinds.ts';
import type { OciRlimit } from './oci-spec.ts';

export type HardLimits = Readonly<Record<string, bigint>>;

/** RLIM_INFINITY of setrlimit(2). */
const unlimited = 0xffff_ffff_ffff_ffffn;

/** How /proc/PID/limits, proc_pid_limits(5), calls what ulimit tools call otherwise. */
const lines: readonly (readonly [ulimit: string, line: string])[] = [
  ['as', 'Max address space'], ['core', 'Max core file size'], ['cpu', 'Max cpu time'], ['data', 'Max data size'], ['fsize', 'Max file size'], ['locks', 'Max file locks'],
  ['memlock', 'Max locked memory'], ['msgqueue', 'Max msgqueue size'], ['nice', 'Max nice priority'], ['nofile', 'Max open files'], ['nproc', 'Max processes'],
  ['rss', 'Max resident set'], ['rtprio', 'Max realtime priority'], ['rttime', 'Max realtime timeout'], ['sigpending', 'Max pending signals'], ['stack', 'Max stack size'],
];

/** The hard limits in /proc/PID/limits. */
export function parseHardLimits(text: string): HardLimits {
  return Object.fromEntries(lines.map(([name, line]) => [name, hardLimitIn(text, line)]));
}

function hardLimitIn(text: string, line: string): bigint {
  const hard = new RegExp(`^${line}\\s+\\S+\\s+(\\d+|unlimited)\\s`, 'm').exec(text)?.[1];
  return hard === undefined || hard === 'unlimited' ? unlimited : BigInt(hard);
}

/** Docker's figure, and what programs that close every possible descriptor can bear. */
const openFiles: Ulimit = { name: 'nofile', soft: 1_048_576, hard: 1_048_576 };

/**
 * The limits as the OCI wants them, none above the daemon's own hard one, which a runtime could not set. Open files are always limited: left out,
 * a container would inherit the soft limit that Node.js raised for itself.
 */
export function rlimitsWithin(ulimits: readonly Ulimit[], own: HardLimits): OciRlimit[] {
  const all = ulimits.some(({ name }) => name === openFiles.name) ? ulimits : [openFiles, ...ulimits];
  return all.map(({ name, soft, hard }) => ({ type: `RLIMIT_${name.toUpperCase()}`, soft: atMost(own[name], soft), hard: atMost(own[name], hard) }));
}

/** A sentence for each limit that the daemon's own cuts short, for the log. */
export function describeCutLimits(ulimits: readonly Ulimit[], own: HardLimits): string[] {
  return ulimits.filter(({ name, hard }) => atMost(own[name], hard) < valueOf(hard)).map(({ name, hard }) =>
    `containers get ${name}=${own[name]} at most, not ${hard === -1 ? 'unlimited' : hard} as container.default_ulimits says: that is the hard limit of gantry itself`);
}

function atMost(limit: bigint = unlimited, value: number): bigint {
  return valueOf(value) < limit ? valueOf(value) : limit;
}

function valueOf(value: number): bigint {
  return value === -1 ? unlimited : BigInt(value);
}
