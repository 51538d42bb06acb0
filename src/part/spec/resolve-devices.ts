import { lstat, opendir, realpath, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { posix } from 'node:path';
import { failure, GantryError, hasCode } from '../../base/errors.ts';
import type { Device } from '../../gen/cri.ts';
import { badField, checkAbsolutePath, quote } from './check-field.ts';

/** A device node as a container shall have it. */
export interface ResolvedDevice {
  /** In the container. */
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  /** Permission bits of the node. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** What the device cgroup allows: some of `rwm`. */
  readonly permissions: string;
}

const deadlineMs = 10_000;
const maxDevices = 4096;
const maxDepth = 8;

// File systems and links of their own in /dev, no devices of the host: a container gets its own.
const notOfTheHost = new Set(['pts', 'shm', 'fd', 'mqueue', 'hugepages', 'console', 'ptmx', '.lxc', '.lxd-mounts', '.udev']);

/**
 * Reads what the devices of a container are on the host. A host path may be a symlink to a device, or a directory, all devices below which
 * are meant. At most 4096 devices, eight directories deep, in ten seconds: deadline-exceeded names the path that hung.
 *
 * Errors: invalid-argument for a malformed entry, failed-precondition for a path that is absent or no device.
 */
export async function resolveDevices(devices: readonly Device[]): Promise<ResolvedDevice[]> {
  const found: ResolvedDevice[] = [];
  for (const [index, device] of devices.entries()) {
    const field = `config.devices[${index}]`;
    const path = checkAbsolutePath(`${field}.container_path`, device.containerPath || device.hostPath);
    const hostPath = checkAbsolutePath(`${field}.host_path`, device.hostPath);
    const permissions = checkPermissions(`${field}.permissions`, device.permissions);
    found.push(...(await within(hostPath, resolveOne(hostPath, path, permissions))));
  }
  refuseTooMany('config.devices', found.length);
  return found;
}

/** Every device of the host's /dev, for privileged containers. */
export function hostDevices(): Promise<ResolvedDevice[]> {
  return within('/dev', walk({ directory: '/dev', path: '/dev', permissions: 'rwm', depth: 0 }));
}

async function resolveOne(hostPath: string, path: string, permissions: string): Promise<ResolvedDevice[]> {
  try {
    const real = await realpath(hostPath);
    const stats = await stat(real);
    if (stats.isDirectory()) return await walk({ directory: real, path, permissions, depth: 0 });
    const device = deviceOf(stats, path, permissions);
    if (device !== undefined) return [device];
  } catch (error) {
    if (error instanceof GantryError || !hasCode(error, 'ENOENT')) throw error;
    throw failure('failed-precondition', { act: 'use device', object: hostPath, why: 'there is no such file on this node' });
  }
  throw failure('failed-precondition', { act: 'use device', object: hostPath, why: 'it is neither a device nor a directory' });
}

async function walk(at: { directory: string; path: string; permissions: string; depth: number }): Promise<ResolvedDevice[]> {
  const found: ResolvedDevice[] = [];
  for await (const entry of await opendir(at.directory)) {
    if (notOfTheHost.has(entry.name)) continue;
    const child = { directory: posix.join(at.directory, entry.name), path: posix.join(at.path, entry.name), permissions: at.permissions, depth: at.depth + 1 };
    if (entry.isDirectory() && child.depth < maxDepth) found.push(...(await walk(child)));
    if (entry.isCharacterDevice() || entry.isBlockDevice()) found.push(...(await lstatDevice(child.directory, child.path, at.permissions)));
    refuseTooMany(at.directory, found.length);
  }
  return found;
}

// A device may be unplugged between the listing and now.
async function lstatDevice(hostPath: string, path: string, permissions: string): Promise<ResolvedDevice[]> {
  try {
    const device = deviceOf(await lstat(hostPath), path, permissions);
    return device === undefined ? [] : [device];
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function deviceOf(stats: Stats, path: string, permissions: string): ResolvedDevice | undefined {
  const type = stats.isCharacterDevice() ? 'c' : stats.isBlockDevice() ? 'b' : undefined;
  if (type === undefined) return undefined;
  return { path, type, ...deviceNumbers(BigInt(stats.rdev)), mode: stats.mode & 0o777, uid: stats.uid, gid: stats.gid, permissions };
}

/** Takes a Linux dev_t apart, makedev(3). */
export function deviceNumbers(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xffff_f000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n)),
  };
}

function checkPermissions(field: string, text: string): string {
  if (!/^[rwm]{0,3}$/.test(text)) throw badField(field, `${quote(text)} is not made of r, w and m`);
  return text === '' ? 'rwm' : [...new Set(text)].join('');
}

function refuseTooMany(where: string, count: number): void {
  if (count > maxDevices) throw failure('failed-precondition', { act: 'use the devices in', object: where, why: `there are more than ${maxDevices}` });
}

// The files may lie on a volume whose server is gone: then the work never ends, and its thread is lost to us until it does.
async function within<T>(hostPath: string, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(failure('deadline-exceeded', { act: 'look at device', object: hostPath, why: `no answer in ${deadlineMs / 1000} seconds` })), deadlineMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
