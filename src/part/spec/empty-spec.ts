import type { OciSpec } from './oci-spec.ts';

/** Where every build begins: a new value, nothing allowed, nothing mounted. */
export function emptySpec(): OciSpec {
  return {
    ociVersion: '1.0.2',
    root: { path: '', readonly: true },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0, umask: 0o022, additionalGids: [] },
      args: [],
      env: [],
      cwd: '/',
      capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
      rlimits: [],
      noNewPrivileges: true,
      oomScoreAdj: 0,
    },
    mounts: [],
    linux: {
      namespaces: [],
      cgroupsPath: '',
      resources: { devices: [] },
      devices: [],
      maskedPaths: [],
      readonlyPaths: [],
    },
    annotations: {},
  };
}
