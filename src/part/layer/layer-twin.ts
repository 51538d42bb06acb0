/**
 * A layer that another runtime has unpacked on this node, so that its files need not be written again: a file that is what the tar says becomes ours as
 * well, by a hard link, and of one that differs in owner, mode or time the blocks are shared where the filesystem can do that. The content is
 * compared with the tar's as that comes by (taken-file.ts). Their owner must leave them as they are, which layers are for.
 *
 * Used by the thread that is chrooted into the new layer: the descriptor of the twin is all that it sees of the world outside.
 */
import { constants, fstatSync, lstatSync, unlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { hasCode } from '../../base/errors.ts';
import { copyContent } from '../../host/copy-content.ts';
import { libc, O_CLOEXEC, O_PATH, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV } from '../../host/libc.ts';
import { baseOf, bytesOf, parentOf, pathOf } from './entry-path.ts';
import type { TarEntry } from './tar-header.ts';

/** The kernel itself refuses what would lead out of the twin, through a symlink or onto another filesystem. */
const beneath = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

/** Of a file that somebody may have marked for the node's access control; all other attributes are the tar's to give. */
const harmlessXattr = 'security.selinux';

export class LayerTwin {
  readonly #root: number;
  /** The directory of the last file: the next one is mostly there too. */
  #parent: { readonly name: string; readonly descriptor: number } | undefined;

  /** `root`: a descriptor of the twin's directory. */
  constructor(root: number) {
    this.#root = root;
  }

  /**
   * Makes the twin's file the layer's under the same name; false when it is not just what the entry says, or cannot be linked. A file that is
   * there already fails with EEXIST.
   */
  link(name: string, entry: TarEntry): boolean {
    if (entry.size === 0 || entry.sparse !== undefined || entry.xattrs !== undefined) return false;
    const parent = this.#openParent(name);
    if (parent === undefined) return false;
    try {
      libc.linkat(parent, bytesOf(baseOf(name)), pathOf(name));
    } catch (error) {
      if (hasCode(error, 'EEXIST')) throw error;
      return false;
    }
    if (isSame(lstatSync(pathOf(name), { bigint: true }), entry) && libc.llistxattr(pathOf(name)).every((attribute) => attribute === harmlessXattr)) return true;
    unlinkSync(pathOf(name));
    return false;
  }

  /** Fills an empty file with the content of the twin's file; false when that has none of this size. */
  copy(name: string, entry: TarEntry, to: number): boolean {
    if (entry.size === 0 || entry.sparse !== undefined) return false;
    const parent = this.#openParent(name);
    const from = parent === undefined ? undefined : openFile(parent, baseOf(name));
    if (from === undefined) return false;
    try {
      const stats = fstatSync(from);
      if (!stats.isFile() || stats.size !== entry.size) return false;
      copyContent({ from, to, size: entry.size }, () => {});
      return true;
    } finally {
      libc.close(from);
    }
  }

  close(): void {
    if (this.#parent !== undefined) libc.close(this.#parent.descriptor);
    this.#parent = undefined;
  }

  #openParent(name: string): number | undefined {
    const parent = parentOf(name);
    if (this.#parent?.name === parent) return this.#parent.descriptor;
    this.close();
    try {
      const descriptor = libc.openat2(this.#root, parent === '' ? '.' : bytesOf(parent), O_PATH | O_CLOEXEC | constants.O_DIRECTORY, 0, beneath);
      this.#parent = { name: parent, descriptor };
      return descriptor;
    } catch {
      return undefined; // through a symlink, say: then the file is written from the tar
    }
  }
}

/** Opens a file that is neither a symlink nor, for its own good, a pipe that would make us wait; undefined when there is none. */
function openFile(parent: number, base: string): number | undefined {
  try {
    return libc.openat2(parent, bytesOf(base), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | O_CLOEXEC, 0, beneath);
  } catch {
    return undefined;
  }
}

function isSame(found: BigIntStats, { mode, uid, gid, size, mtime }: TarEntry): boolean {
  return found.isFile() && Number(found.mode & 0o7777n) === (mode & 0o7777) && Number(found.uid) === uid && Number(found.gid) === gid && Number(found.size) === size
    && found.mtimeNs === BigInt(mtime.seconds) * 1_000_000_000n + BigInt(mtime.nanoseconds);
}
