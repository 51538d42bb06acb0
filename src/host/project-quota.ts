/**
 * Directories whose content the filesystem counts by itself: project quotas of XFS and ext4, ioctl(2) FS_IOC_FSSETXATTR and quotactl(2).
 * Nothing is ever limited by them here.
 */
import { closeSync, constants, mkdtempSync, openSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { failure, hasCode, messageOf } from '../base/errors.ts';
import { libc } from './libc.ts';

export interface ProjectUsage {
  readonly bytes: bigint;
  readonly inodes: bigint;
}

/** The projects of a filesystem, or why it counts none, in words. */
export type ProjectProbe = ProjectQuotas | { readonly shortcoming: string };

/** `GA`, far from 1048577, where the kubelet begins, and from the small numbers that people and other runtimes use. */
export const firstProject = 0x4741_0000;
/** More than a node has containers. */
const projectCount = 0x2000;

/** Where administrators keep theirs, projid(5) and projects(5). */
const projectFiles: readonly string[] = ['/etc/projid', '/etc/projects'];

const probePrefix = 'project-probe-';

/**
 * Tries on a directory of our own whether the filesystem counts projects there. Leaves nothing, and takes away what a killed probe left.
 */
export function probeProjectQuotas(directory: string): ProjectProbe {
  for (const name of readdirSync(directory)) if (name.startsWith(probePrefix)) rmdirSync(join(directory, name));
  const quotas = new ProjectQuotas(directory);
  const probe = mkdtempSync(join(directory, probePrefix));
  try {
    return quotas.assign(probe) === undefined ? { shortcoming: 'all ids for projects are taken' } : quotas;
  } catch (error) {
    return { shortcoming: `the filesystem does not count projects (${messageOf(error)}): XFS does when it is mounted with prjquota, ext4 also wants the features quota and project` };
  } finally {
    rmdirSync(probe);
  }
}

/** The projects of one filesystem. An id is taken for as long as a file has it, so nobody has to keep account of them. */
export class ProjectQuotas {
  readonly #directory: string;
  /** Ids are used in turn, so that the first look mostly finds a free one. */
  #next = 0;

  /** Any directory on the filesystem; it has to stay. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Gives an empty directory a project of its own, which all that is made in it will belong to. Undefined when every id is taken. Fails with
   * the errno's code where the filesystem knows no projects, with failed-precondition where it does not count them.
   */
  assign(directory: string): number | undefined {
    const reserved = reservedIds();
    for (let tries = 0; tries < projectCount; tries++) {
      const id = firstProject + (this.#next++ % projectCount);
      if (reserved.has(id) || this.count(id).inodes > 0n) continue;
      setProject(directory, id);
      const { inodes } = this.count(id);
      if (inodes === 0n) throw failure('failed-precondition', { act: 'count', object: directory, why: 'its filesystem has project ids, but no accounting of them' });
      // More: another program on this filesystem has taken the id at the same moment.
      if (inodes === 1n) return id;
    }
    return undefined;
  }

  /** What the project has now, with what is written but has no place on the disk yet. ESRCH when the filesystem does not count any more. */
  count(id: number): ProjectUsage {
    const block = Buffer.alloc(dqblkBytes);
    try {
      this.#getQuota(id, block);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return { bytes: 0n, inodes: 0n }; // XFS knows no project without files
      throw error;
    }
    return { bytes: block.readBigUInt64LE(curspaceOffset), inodes: block.readBigUInt64LE(curinodesOffset) };
  }

  #getQuota(id: number, block: Buffer): void {
    const fd = openDirectory(this.#directory);
    try {
      libc.quotactlFd(fd, getProjectQuota, id, block);
    } catch (error) {
      if (!hasCode(error, 'ENOSYS')) throw error;
      libc.quotactl(deviceOf(this.#directory), getProjectQuota, id, block); // before Linux 5.14
    } finally {
      closeSync(fd);
    }
  }
}

/** The block device of the filesystem, as udev names it. */
export function deviceOf(directory: string): string {
  const { dev } = statSync(directory, { bigint: true });
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xffff_f000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffff_ff00n);
  return `/dev/block/${major}:${minor}`;
}

// linux/quota.h: Q_GETQUOTA and PRJQUOTA as QCMD puts them together; struct if_dqblk.
export const getProjectQuota = 0x8000_0702;
export const dqblkBytes = 72;
const curspaceOffset = 16;
const curinodesOffset = 40;

// linux/fs.h: struct fsxattr.
const FS_IOC_FSGETXATTR = 0x801c_581f;
const FS_IOC_FSSETXATTR = 0x401c_5820;
const FS_XFLAG_PROJINHERIT = 0x200;
const fsxattrBytes = 28;
const projidOffset = 12;

function setProject(directory: string, id: number): void {
  const fd = openDirectory(directory);
  try {
    const attributes = Buffer.alloc(fsxattrBytes);
    libc.ioctl(fd, FS_IOC_FSGETXATTR, attributes);
    attributes.writeUInt32LE((attributes.readUInt32LE(0) | FS_XFLAG_PROJINHERIT) >>> 0, 0);
    attributes.writeUInt32LE(id, projidOffset);
    libc.ioctl(fd, FS_IOC_FSSETXATTR, attributes);
  } finally {
    closeSync(fd);
  }
}

function openDirectory(directory: string): number {
  return openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

function reservedIds(): Set<number> {
  return new Set(projectFiles.flatMap((file) => idsIn(textOf(file))));
}

/** Of projid(5) lines, `name:12`, and projects(5) lines, `12:/path`. */
export function idsIn(text: string): number[] {
  const lines = text.split('\n').filter((line) => !line.trimStart().startsWith('#'));
  return lines.flatMap((line) => /^\s*(\d+)\s*:/.exec(line)?.[1] ?? /:\s*(\d+)\s*$/.exec(line)?.[1] ?? []).map(Number);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // most nodes have none
  }
}
