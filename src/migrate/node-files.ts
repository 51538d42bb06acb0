/** The files of the node that is migrated. It is seen below a folder of its own when Gantry runs in a container with the node's root mounted there. */
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { failure, hasCode, messageOf } from '../base/errors.ts';

export class NodeFiles {
  /** Where the node's `/` is. */
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Where a file of the node is for us. */
  at(file: string): string {
    return path.join(this.root, file);
  }

  /** The text of a file; undefined when it is not there. One that cannot be read: failed-precondition. */
  async read(file: string): Promise<string | undefined> {
    try {
      return await readFile(this.at(file), 'utf8');
    } catch (cause) {
      if (hasCode(cause, 'ENOENT') || hasCode(cause, 'ENOTDIR')) return undefined;
      throw failure('failed-precondition', { act: 'read', object: file, why: messageOf(cause), cause });
    }
  }

  /** The names in a folder, sorted; none when it is not there. */
  async list(folder: string): Promise<string[]> {
    return (await readdir(this.at(folder)).catch(() => [])).sort();
  }
}
