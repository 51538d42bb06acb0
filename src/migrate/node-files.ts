/** The files of the node that is migrated. It is seen below a folder of its own when Gantry runs in a container with the node's root mounted there. */
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { failure, hasCode, messageOf } from '../base/errors.ts';
import { findBeneath } from '../host/beneath.ts';

export class NodeFiles {
  /** Where the node's `/` is. */
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Where a file of the node is for us, behind symlinks, which lead to files of the node and never to ours. What is not there is where it would be made. */
  at(file: string): string {
    const found = findBeneath(this.root, file);
    if (found !== undefined) return found.path;
    const parent = path.dirname(path.join('/', file));
    return path.join(parent === '/' ? this.root : this.at(parent), path.basename(file));
  }

  /** The text of a file; undefined when it is not there. One that cannot be read: failed-precondition. */
  async read(file: string): Promise<string | undefined> {
    try {
      const found = findBeneath(this.root, file);
      return found && await readFile(found.path, 'utf8');
    } catch (cause) {
      if (hasCode(cause, 'ENOENT')) return undefined; // it was removed in this moment
      throw failure('failed-precondition', { act: 'read', object: file, why: messageOf(cause), cause });
    }
  }

  /** The names in a folder, sorted; none when it is not there. */
  async list(folder: string): Promise<string[]> {
    const found = findBeneath(this.root, folder);
    return found === undefined ? [] : (await readdir(found.path).catch(() => [])).sort();
  }
}
