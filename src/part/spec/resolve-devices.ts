import { posix } from 'node:path';
import { failure, isKind } from '../../base/errors.ts';
import type { Device } from '../../gen/cri.ts';
import type { HostDevice } from '../../host/device-node.ts';
import { pathThreads } from '../../host/path-resolver.ts';
import { badField, checkAbsolutePath, quote } from './check-field.ts';

/** A device node as a container shall have it. */
export interface ResolvedDevice extends HostDevice {
  /** In the container. */
  readonly path: string;
  /** What the device cgroup allows: some of `rwm`. */
  readonly permissions: string;
}

const maxDevices = 4096;

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
    found.push(...(await resolveOne(hostPath, path, permissions)));
  }
  if (found.length > maxDevices) throw failure('failed-precondition', { act: 'use the devices in', object: 'config.devices', why: `there are more than ${maxDevices}` });
  return found;
}

/** Every device of the host's /dev, for privileged containers. */
export function hostDevices(): Promise<ResolvedDevice[]> {
  return resolveOne('/dev', '/dev', 'rwm');
}

async function resolveOne(hostPath: string, path: string, permissions: string): Promise<ResolvedDevice[]> {
  try {
    return (await pathThreads.devicesAt(hostPath)).map(({ below, ...device }) => ({ path: posix.join(path, below), ...device, permissions }));
  } catch (error) {
    const refused = { act: 'use device', object: hostPath, cause: error };
    if (isKind(error, 'not-found')) throw failure('failed-precondition', { ...refused, why: 'there is no such file on this node' });
    if (isKind(error, 'failed-precondition')) throw failure('failed-precondition', { ...refused, why: error.why ?? error.message });
    throw error;
  }
}

function checkPermissions(field: string, text: string): string {
  if (!/^[rwm]{0,3}$/.test(text)) throw badField(field, `${quote(text)} is not made of r, w and m`);
  return text === '' ? 'rwm' : [...new Set(text)].join('');
}
