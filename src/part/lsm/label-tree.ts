/**
 * The walk that gives a volume its SELinux label. It goes from one open directory to the next and touches nothing but what it has open, so
 * that a symlink, or a directory that is exchanged for one while we look, cannot lead it out of the volume.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { failure, hasCode, messageOf } from '../../base/errors.ts';
import { libc, O_CLOEXEC, O_PATH } from '../../host/libc.ts';

export interface LabelRequest {
  /** The volume as the CRI names it; a symlink is followed, as by the mount. */
  readonly path: string;
  readonly label: string;
  /** `security.selinux`; tests on a kernel without SELinux take another. */
  readonly attribute: string;
  /** Directories of our own, which are no volumes, nor is anything that holds them. */
  readonly own: readonly string[];
}

export interface Labelled {
  /** `right`: the top had the label, and so has the rest. `unsupported`: the file system keeps no labels. */
  readonly outcome: 'labelled' | 'right' | 'unsupported';
  /** Files whose label was another. */
  readonly changed: number;
}

/** Directories that belong to the node: relabelled, its own programs could not use them any more. */
const ofTheNode = new Set([
  '/', '/bin', '/boot', '/dev', '/etc', '/home', '/lib', '/lib32', '/lib64', '/libx32', '/media', '/mnt', '/opt', '/proc', '/root', '/run', '/sbin', '/srv', '/sys', '/tmp', '/usr',
  '/var', '/var/cache', '/var/lib', '/var/lib/containers', '/var/lib/kubelet', '/var/lib/kubelet/pods', '/var/log', '/var/log/containers', '/var/log/pods', '/var/run', '/var/spool', '/var/tmp',
]);
/** Below these everything is the node's. */
const whollyOfTheNode = ['/bin', '/boot', '/dev', '/etc', '/lib', '/lib64', '/proc', '/sbin', '/sys', '/usr'];

/** Each level of a tree keeps one file open. */
const maxDepth = 500;

/**
 * Gives everything below `path` the label, depth first and the top last: a top with the right label means that an earlier walk came to its end, which
 * is why only the top is looked at the next time. Other file systems mounted below are left alone. Synchronous: for a thread of its own.
 *
 * Errors: invalid-argument for a directory of the node's; failed-precondition when it is absent, too deep, or the kernel refuses the label.
 */
export function labelTree(request: LabelRequest): Labelled {
  const top = openTop(request.path);
  try {
    refuseNodes(readlinkSync(`/proc/self/fd/${top}`), request);
    const wanted = Buffer.from(`${request.label}\0`);
    if (hasLabel(top, request.attribute, wanted)) return { outcome: 'right', changed: 0 };
    return { outcome: 'labelled', changed: labelBelow(top, { ...request, wanted, device: fstatSync(top).dev }, 0) };
  } catch (error) {
    if (hasCode(error, 'ENOTSUP')) return { outcome: 'unsupported', changed: 0 };
    throw error;
  } finally {
    closeSync(top);
  }
}

interface Walk extends LabelRequest {
  readonly wanted: Buffer;
  readonly device: number;
}

function labelBelow(fd: number, walk: Walk, depth: number): number {
  if (depth > maxDepth) throw failure('failed-precondition', { act: 'relabel volume', object: walk.path, why: `it is more than ${maxDepth} directories deep` });
  let changed = 0;
  if (fstatSync(fd).isDirectory()) {
    for (const name of readdirSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' })) changed += labelChild(fd, name, walk, depth);
  }
  if (hasLabel(fd, walk.attribute, walk.wanted)) return changed;
  try {
    libc.setxattr(`/proc/self/fd/${fd}`, walk.attribute, walk.wanted, 0);
  } catch (cause) {
    if (hasCode(cause, 'ENOTSUP')) throw cause;
    throw failure('failed-precondition', { act: 'relabel volume', object: walk.path, why: `${readlinkSync(`/proc/self/fd/${fd}`)} cannot be labelled ${walk.label}: ${messageOf(cause)}`, cause });
  }
  return changed + 1;
}

function labelChild(parent: number, name: Buffer, walk: Walk, depth: number): number {
  let fd: number;
  try {
    // O_PATH: nothing is read, no FIFO is waited for and no device is touched.
    fd = openSync(Buffer.concat([Buffer.from(`/proc/self/fd/${parent}/`), name]), O_PATH | constants.O_NOFOLLOW | O_CLOEXEC);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0; // removed meanwhile
    throw error;
  }
  try {
    return fstatSync(fd).dev === walk.device ? labelBelow(fd, walk, depth + 1) : 0;
  } finally {
    closeSync(fd);
  }
}

function openTop(path: string): number {
  try {
    return openSync(path, O_PATH | O_CLOEXEC);
  } catch (cause) {
    throw failure('failed-precondition', { act: 'relabel volume', object: path, why: messageOf(cause), cause });
  }
}

function refuseNodes(real: string, { path, own }: LabelRequest): void {
  const isWithin = (inner: string, outer: string): boolean => inner === outer || inner.startsWith(`${outer}/`);
  const nodes = ofTheNode.has(real) || whollyOfTheNode.some((folder) => isWithin(real, folder)) || own.some((folder) => isWithin(folder, real) || isWithin(real, folder));
  if (nodes) throw failure('invalid-argument', { act: 'relabel volume', object: path, why: `${real} belongs to the node: relabelled, its own programs could not use it any more; take a directory of its own, or no relabelling` });
}

function hasLabel(fd: number, attribute: string, wanted: Buffer): boolean {
  const value = libc.getxattr(`/proc/self/fd/${fd}`, attribute);
  // The kernel ends a label with a NUL or not, by its version.
  return value !== undefined && Buffer.concat([value, Buffer.alloc(1)]).subarray(0, wanted.length).equals(wanted) && value.length <= wanted.length;
}
