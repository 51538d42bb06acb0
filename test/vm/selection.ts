/** Which tests the vm tier runs: those that can tell cgroup v2, systemd, AppArmor and full capabilities from what the host may have. */

export interface Pass {
  /** The OCI runtime of the node tests; the parts' own tests try every one. */
  readonly runtime: string;
  readonly cgroupDriver: string;
  /** Paths from the repository's root. */
  readonly files: readonly string[];
  /** A regular expression: only the tests of the files whose names match. Without it all. */
  readonly tests?: string;
  /** Tells of each test as it ends, for somebody who watches. */
  readonly tellsEach?: boolean;
}

const [crun, runc] = [{ runtime: 'crun', cgroupDriver: 'systemd' }, { runtime: 'runc', cgroupDriver: 'systemd' }];

/**
 * In the order of what matters most: what an emulated machine has no time for is skipped from the end. Few tests of many files, for each
 * takes some five seconds there.
 */
export const selection: readonly Pass[] = [
  { ...crun, files: ['test/node/systemd-driver.test.ts'] },
  { ...crun, files: ['test/node/container-privilege.test.ts'], tests: 'AppArmor|nothing is left' },
  { ...crun, files: ['test/node/resources.test.ts'], tests: 'is made with hold|more memory than|unified|halfway|any limit' },
  { ...runc, files: ['test/node/systemd-driver.test.ts'], tests: 'memory limit holds|in its scope|leaves systemd no unit|nothing is left' },
  { ...runc, files: ['test/node/container-privilege.test.ts'], tests: 'AppArmor: the built-in profile confines|a profile of the node is applied by name' },
  { ...runc, files: ['test/node/resources.test.ts'], tests: 'is made with hold|halfway' },
  { ...crun, files: ['test/node/container-exec.test.ts'], tests: 'with all its children' },
  { ...crun, files: ['test/node/container-inside.test.ts'], tests: 'a device that was asked for' },
  { ...crun, files: ['test/node/user-namespaces.test.ts'], tests: 'a privileged container has all power' },
  { ...crun, files: ['src/part/cgroup/cgroup-tree.root.test.ts'] },
  { ...crun, files: ['test/node/stats.test.ts'], tests: 'memory and processes' },
  { runtime: 'crun', cgroupDriver: 'cgroupfs', files: ['test/node/pod-cgroups.test.ts'] },
];

/** Not part of `npm test`: it takes an image and a boot of its own. `npm run vm -- --selinux` does it. */
export const selinuxSelection: readonly Pass[] = [
  { ...crun, files: ['test/node/selinux.test.ts'] },
  { ...runc, files: ['test/node/selinux.test.ts'] },
];
