/**
 * crun refuses to create a container on a hybrid cgroup host (v1 controllers beside a cgroup2 mount) whose cgroup2 side
 * still owns a controller: `cgroups in hybrid mode not supported, drop all controllers from cgroupv2`. It only reads the
 * file cgroup.controllers, so an empty file in its place, seen by that one process in a mount namespace of its own, is
 * enough; the host's cgroup mounts stay as they are.
 */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { failure } from '../../base/errors.ts';
import { findProgram, systemPath } from '../../host/find-program.ts';

/**
 * The words to put in front of a `create` or `restore` command of crun; `controllersFile` is the unified hierarchy's
 * cgroup.controllers. Other commands of crun need no wrapper. Mount propagation stays unchanged, so volumes that are shared
 * with the host keep working. No unshare(1): failed-precondition.
 */
export function hybridWrapper(controllersFile: string): readonly string[] {
  const mask = 'mount --bind /dev/null "$0" && exec "$@"';
  const hierarchy = dirname(controllersFile);
  // A shared hierarchy would carry the bind mount back to the host.
  const script = isShared(hierarchy) ? `mount --make-private "\${0%/*}" && ${mask}` : mask;
  return [findUnshare(), '--mount', '--propagation', 'unchanged', 'sh', '-c', script, controllersFile];
}

/** True when mounts made on this mount point travel to other mount namespaces. */
export function isShared(mountPoint: string, mountInfo = readFileSync('/proc/self/mountinfo', 'utf8')): boolean {
  // id parent major:minor root mount-point options [optional fields] - type source options, as in proc_pid_mountinfo(5)
  const fields = mountInfo.split('\n').map((line) => line.split(' ')).findLast((words) => words[4] === mountPoint);
  return fields !== undefined && fields.slice(6, fields.indexOf('-')).some((field) => field.startsWith('shared:'));
}

function findUnshare(): string {
  const path = findProgram('unshare', systemPath);
  if (path === undefined) throw failure('failed-precondition', { act: 'prepare crun for a hybrid cgroup host', why: 'unshare (package util-linux) is not installed; install it, or use runc' });
  return path;
}
