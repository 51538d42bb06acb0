import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hasCode } from '../../base/errors.ts';
import { libc } from '../../host/libc.ts';

/** The SELinux contexts that the node's policy has for containers, each `user:role:type:level`. */
export interface SelinuxContexts {
  readonly process: string;
  readonly file: string;
  /** Of the layers of images: what containers may read and execute and not write. */
  readonly layer: string;
}

const kernel = '/sys/fs/selinux';

/** Whether the kernel enforces, or would enforce if it were not permissive, an SELinux policy. */
export function hasSelinux(): boolean {
  return existsSync(`${kernel}/enforce`);
}

/**
 * The contexts that the policy's file for containers names: the one that container-selinux installs, else the policy's own. Undefined when there is
 * none, or when the kernel does not know them (a policy without containers may still have the file): every container would fail.
 */
export function selinuxContexts(): SelinuxContexts | undefined {
  const policy = /^\s*SELINUXTYPE\s*=\s*(\w+)/m.exec(textOf('/etc/selinux/config'))?.[1] ?? 'targeted';
  const files = ['/usr/share/containers/selinux/contexts', `/etc/selinux/${policy}/contexts/lxc_contexts`];
  const contexts = files.map((file) => parseSelinuxContexts(textOf(file))).find((found) => found !== undefined);
  if (contexts === undefined || !isKnown(contexts.process) || !isKnown(contexts.file)) return undefined;
  return isKnown(contexts.layer) ? contexts : { ...contexts, layer: contexts.file };
}

/**
 * Gives a directory the label that what is made in it inherits. Layers need it although the containers' roots have labels of their own: what a process
 * has mapped from an overlay is judged by the file below (mprotect(2), which every program's start needs), and that of a folder of the node's is out of its reach.
 * Without effect on a file system that keeps no labels.
 */
export function labelFolder(path: string, label: string): void {
  try {
    libc.lsetxattr(path, 'security.selinux', Buffer.from(`${label}\0`), 0);
  } catch (error) {
    if (!hasCode(error, 'ENOTSUP')) throw error;
  }
}

/** Reads lines such as `process = "system_u:system_r:container_t:s0"`; undefined unless those for processes and files are there and whole. */
export function parseSelinuxContexts(text: string): SelinuxContexts | undefined {
  const context = (key: string): string | undefined => new RegExp(`^\\s*${key}\\s*=\\s*"([^":\\s]+:[^":\\s]+:[^":\\s]+:[^"\\s]+)"`, 'm').exec(text)?.[1];
  const [process, file] = [context('process'), context('file')];
  return process === undefined || file === undefined ? undefined : { process, file, layer: context('ro_file') ?? file };
}

/** The kernel checks a context that is written here: selinuxfs, security_check_context(3). */
function isKnown(context: string): boolean {
  try {
    writeFileSync(`${kernel}/context`, context);
    return true;
  } catch (error) {
    if (hasCode(error, 'EINVAL')) return false;
    throw error;
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
