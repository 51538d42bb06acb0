/** Extended attributes, times and device numbers of a layer's files, by their names in the layer (see entry-path.ts). */
import { constants, lutimesSync, writeFileSync } from 'node:fs';
import { hasCode } from '../../base/errors.ts';
import { libc } from '../../host/libc.ts';
import { baseOf, isText, parentOf, pathOf, textPathOf } from './entry-path.ts';
import { opaqueMarker, opaqueXattr, whiteoutPrefix } from './overlay-whiteouts.ts';
import type { TarEntry, TarTime } from './tar-header.ts';

/** Sets those of the entry's attributes that mean something in a container. */
export function setXattrs(name: string, entry: TarEntry): void {
  if (entry.xattrs === undefined) return;
  for (const [key, value] of entry.xattrs) {
    if (!isKeptXattr(key)) continue;
    try {
      libc.lsetxattr(textPathOf(name), key, value, 0);
    } catch (error) {
      // Some filesystems have no user attributes or ACLs; a missing capability would break a program, so that is an error.
      if (hasCode(error, 'ENOTSUP') && !key.startsWith('security.')) continue;
      throw error;
    }
  }
}

/**
 * Not `trusted.` ones: they are the host's, among them overlayfs's own, which could point a mount elsewhere. Not SELinux labels:
 * they are this node's to choose.
 */
function isKeptXattr(key: string): boolean {
  if (key.startsWith('user.')) return !key.startsWith('user.overlay.');
  return key === 'security.capability' || key === 'system.posix_acl_access' || key === 'system.posix_acl_default';
}

/** Hides what lower layers have in this directory. */
export function setOpaque(directory: string): void {
  try {
    libc.lsetxattr(textPathOf(directory), opaqueXattr, Buffer.from('y'), 0);
  } catch (error) {
    if (!hasCode(error, 'ENOTSUP') && !hasCode(error, 'EPERM')) throw error;
    writeFileSync(pathOf(inParent(`${directory}/x`, opaqueMarker)), '');
  }
}

/** Hides what lower layers have under this name; this layer has nothing of that name. */
export function makeWhiteout(name: string): void {
  try {
    libc.mknod(textPathOf(name), constants.S_IFCHR, 0n);
  } catch (error) {
    if (!hasCode(error, 'EPERM')) throw error;
    writeFileSync(pathOf(inParent(name, `${whiteoutPrefix}${baseOf(name)}`)), '');
  }
}

function inParent(name: string, base: string): string {
  return parentOf(name) === '' ? base : `${parentOf(name)}/${base}`;
}

/** As Node's functions take it. */
export function seconds(time: TarTime): number {
  return time.seconds + time.nanoseconds / 1e9;
}

/** Sets the times of a file or of a symlink itself. */
export function setTime(name: string, time: TarTime): void {
  lutimesSync(pathOf(name), seconds(time), seconds(time));
  setExactTime(name, time);
}

/**
 * Node's times are doubles in seconds, good to a microsecond, and it takes those before 1970 for the present. Where that is not good enough,
 * and the name allows it, this sets them by libc.
 */
export function setExactTime(name: string, time: TarTime): void {
  if ((time.nanoseconds === 0 && time.seconds >= 0) || !isText(name)) return;
  const nanoseconds = BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanoseconds);
  libc.utimensat(textPathOf(name), nanoseconds, nanoseconds);
}

/** The kernel's "huge" encoding, as makedev(3) of glibc. */
export function deviceNumber(major: number, minor: number): bigint {
  return BigInt(minor & 0xff) | (BigInt(major) << 8n) | (BigInt(minor & ~0xff) << 12n);
}
