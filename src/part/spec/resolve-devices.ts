import { lstat, opendir, realpath, stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { failure, GantryError, hasCode } from '../../base/errors.ts';
import type { Device } from '../../gen/cri.ts';
import { deviceOf } from '../../host/device-node.ts';
import type { HostDevice } from '../../host/device-node.ts';
import { inTime } from '../../host/in-time.ts';
import { badField, checkAbsolutePath, quote } from './check-field.ts';

/** A device node as a container shall have it. */
export interface ResolvedDevice extends HostDevice {
  /** In the container. */
  readonly path: string;
  /** What the device cgroup allows: some of `rwm`. */
  readonly permissions: string;
}

const lookingAt = 'look at device';
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
    found.push(...(await inTime(resolveOne(hostPath, path, permissions), { act: lookingAt, path: hostPath })));
  }
  refuseTooMany('config.devices', found.length);
  return found;
}

/** Every device of the host's /dev, for privileged containers. */
export function hostDevices(): Promise<ResolvedDevice[]> {
  return inTime(walk({ directory: '/dev', path: '/dev', permissions: 'rwm', depth: 0 }), { act: lookingAt, path: '/dev' });
}

async function resolveOne(hostPath: string, path: string, permissions: string): Promise<ResolvedDevice[]> {
  try {
    const real = await realpath(hostPath);
    const stats = await stat(real);
    if (stats.isDirectory()) return await walk({ directory: real, path, permissions, depth: 0 });
    const device = deviceOf(stats);
    if (device !== undefined) return [{ path, ...device, permissions }];
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
    const device = deviceOf(await lstat(hostPath));
    return device === undefined ? [] : [{ path, ...device, permissions }];
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function checkPermissions(field: string, text: string): string {
  if (!/^[rwm]{0,3}$/.test(text)) throw badField(field, `${quote(text)} is not made of r, w and m`);
  return text === '' ? 'rwm' : [...new Set(text)].join('');
}

function refuseTooMany(where: string, count: number): void {
  if (count > maxDevices) throw failure('failed-precondition', { act: 'use the devices in', object: where, why: `there are more than ${maxDevices}` });
}
