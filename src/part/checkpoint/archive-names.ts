/**
 * What is in a checkpoint: the names that Podman coined, and that CRI-O, containerd and checkpointctl, Kubernetes' tool for forensic work on
 * checkpoints, have taken over.
 */
export const archiveNames = {
  /** What the container was: id, name, image, times. */
  config: 'config.dump',
  /** Its OCI config.json. */
  spec: 'spec.dump',
  /** Its CRI ContainerStatus, and the few words of it that containerd keeps. */
  criStatus: 'status.dump',
  status: 'status',
  /** CRIU's images. */
  images: 'checkpoint',
  dumpLog: 'dump.log',
  dumpStats: 'stats-dump',
  /** Files of its root that are not as in its image, and the paths that are gone, as a JSON array. */
  rootChanges: 'rootfs-diff.tar',
  deletedFiles: 'deleted.files',
  /** What kind of file each of its bind mounts has on the node (CRI-O). */
  bindMounts: 'bind.mounts',
  containerLog: 'container.log',
} as const;

/** Without it CRIU restores nothing. */
export const inventoryName = 'inventory.img';
