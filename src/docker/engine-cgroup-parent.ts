import { basename } from 'node:path';
import { during } from '../base/errors.ts';
import { cgroupParentPath } from '../part/cgroup/cgroup-path.ts';
import type { CgroupDriver } from '../part/cgroup/cgroup-path.ts';

/** The CRI's cgroup_parent as the Engine wants it: a path, or with systemd the name of the slice alone. Empty: the Engine's own. Errors: invalid-argument. */
export function engineCgroupParent(driver: CgroupDriver, parent: string): string {
  if (parent === '') return '';
  try {
    const path = cgroupParentPath(driver, parent);
    return driver === 'systemd' ? basename(path) : path;
  } catch (error) {
    throw during(error, { act: 'check', object: 'config.linux.cgroup_parent' });
  }
}
