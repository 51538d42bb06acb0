/** Devices of the host by their path, as the thread behind PathResolver finds them: its calls may never come back. */
import { lstatSync, opendirSync, realpathSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { hasCode } from '../base/errors.ts';
import { deviceOf } from './device-node.ts';
import type { HostDevice } from './device-node.ts';

/** A device, and where it is below the path that was asked for; empty when it is what that path leads to. */
export interface FoundDevice extends HostDevice {
  readonly below: string;
}

const maxDevices = 4096;
const maxDepth = 8;

// File systems and links of their own in /dev, no devices of the host: a container gets its own.
const notOfTheHost = new Set(['pts', 'shm', 'fd', 'mqueue', 'hugepages', 'console', 'ptmx', '.lxc', '.lxd-mounts', '.udev']);

/**
 * The device that `path` leads to, symlinks followed, or all devices below the directory that it leads to, eight directories deep, whose
 * symlinks are not followed. Throws for anything else, and for more than 4096 devices.
 */
export function devicesAt(path: string): FoundDevice[] {
  const real = realpathSync.native(path);
  const stats = statSync(real);
  if (stats.isDirectory()) return walk({ directory: real, below: '', depth: 0 }, []);
  const device = deviceOf(stats);
  if (device === undefined) throw new Error('it is neither a device nor a directory');
  return [{ below: '', ...device }];
}

function walk(at: { directory: string; below: string; depth: number }, found: FoundDevice[]): FoundDevice[] {
  const directory = opendirSync(at.directory);
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      if (notOfTheHost.has(entry.name)) continue;
      const child = { directory: posix.join(at.directory, entry.name), below: posix.join(at.below, entry.name), depth: at.depth + 1 };
      if (entry.isDirectory() && child.depth < maxDepth) walk(child, found);
      if (entry.isCharacterDevice() || entry.isBlockDevice()) found.push(...deviceNamed(child));
      if (found.length > maxDevices) throw new Error(`there are more than ${maxDevices} devices in it`);
    }
  } finally {
    directory.closeSync();
  }
  return found;
}

// A device may be unplugged between the listing and now.
function deviceNamed({ directory, below }: { directory: string; below: string }): FoundDevice[] {
  try {
    const device = deviceOf(lstatSync(directory));
    return device === undefined ? [] : [{ below, ...device }];
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
