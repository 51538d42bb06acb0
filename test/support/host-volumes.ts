/** Folders of the node's that test containers mount. */
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface HostVolumes {
  /** Where they are, without symlinks. */
  readonly root: string;
  /** A new folder that everybody may write to, with a `file` that holds its name. */
  make(name: string): string;
}

/** Volumes below a folder of the test's own, which goes away with it. */
export function hostVolumes(directory: string): HostVolumes {
  const root = path.join(realpathSync(directory), 'volumes');
  mkdirSync(root);
  return {
    root,
    make(name) {
      const folder = path.join(root, name);
      mkdirSync(folder, { mode: 0o777 });
      writeFileSync(path.join(folder, 'file'), `${name}\n`);
      return folder;
    },
  };
}
