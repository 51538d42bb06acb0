/** Which tests the vm tier runs: those that can tell cgroup v2, systemd and full capabilities from what the host may have. */

export interface Pass {
  /** The OCI runtime of the node tests; the parts' own tests try every one. */
  readonly runtime: string;
  readonly cgroupDriver: string;
  /** Paths from the repository's root. */
  readonly files: readonly string[];
}

/** In the order of what matters most: what an emulated machine has no time for is skipped from the end. */
export const selection: readonly Pass[] = [
  {
    runtime: 'crun',
    cgroupDriver: 'systemd',
    files: ['test/node/systemd-driver.test.ts', 'test/node/pod-cgroups.test.ts', 'src/part/cgroup/cgroup-tree.root.test.ts', 'test/node/stats.test.ts'],
  },
  { runtime: 'runc', cgroupDriver: 'systemd', files: ['test/node/systemd-driver.test.ts'] },
  { runtime: 'crun', cgroupDriver: 'cgroupfs', files: ['test/node/pod-cgroups.test.ts'] },
  {
    runtime: 'crun',
    cgroupDriver: 'systemd',
    files: [
      'test/node/container-life.test.ts', 'test/node/container-exec.test.ts', 'test/node/container-inside.test.ts', 'test/node/pod-namespaces.test.ts', 'test/node/restart.test.ts',
      'src/part/oci/container-end.root.test.ts', 'src/part/oci/exec-sync.root.test.ts', 'src/part/spec/build-container-spec.root.test.ts',
    ],
  },
];
