import type { ContainerConfig, PodSandboxConfig } from '../../gen/cri.ts';
import type { ContainerDefaults, HandlerDefaults } from './container-defaults.ts';
import type { ContainerEdits } from '../../base/container-edits.ts';
import type { HostFacts } from './host-facts.ts';
import type { OciBlockIo } from './oci-spec.ts';
import type { ImageConfig } from './image-config.ts';
import type { ResolvedDevice } from './resolve-devices.ts';
import type { Identity } from './resolve-user.ts';
import type { AppArmorState } from './with-apparmor.ts';
import type { SelinuxState } from './with-selinux.ts';

/** All that a container's config.json depends on, as plain values: the same input gives the same spec. */
export interface SpecInput {
  readonly podId: string;
  readonly config: ContainerConfig;
  readonly podConfig: PodSandboxConfig;
  readonly image: ImageConfig;
  /** From resolveUser. */
  readonly identity: Identity;
  readonly namespaces: NamespacePaths;
  readonly rootfs: string;
  /** As the runtime's cgroup driver wants it: a path, or `slice:prefix:name` for systemd. */
  readonly cgroupsPath: string;
  /** Of the pod; of the node when the pod uses the node's network. */
  readonly hostname: string;
  readonly podFiles: PodFiles;
  readonly volumes: VolumeSources;
  readonly facts: HostFacts;
  readonly defaults: ContainerDefaults;
  /** Of the pod's runtime handler. */
  readonly handler: HandlerDefaults;
  /** What config.devices resolved to (resolveDevices). */
  readonly devices: readonly ResolvedDevice[];
  /** Every device of the host (hostDevices), for a privileged container; empty otherwise. */
  readonly hostDevices: readonly ResolvedDevice[];
  /** What the CDI devices change that the container asks for, in their order. */
  readonly cdi: readonly ContainerEdits[];
  /** The parameters of the block I/O class that annotations name (resourceClassOf), when they name one. */
  readonly blockIo: OciBlockIo | undefined;
  /** The RDT class that annotations name. */
  readonly rdtClass: string | undefined;
  /** The content of the file that localhostSeccompPath names, when it names one. */
  readonly localhostSeccomp: string | undefined;
  /** Undefined on a node without AppArmor, or with it switched off in the configuration. */
  readonly apparmor: AppArmorState | undefined;
  /** Undefined on a node without SELinux, or with it switched off in the configuration. */
  readonly selinux: SelinuxState | undefined;
}

/** Namespace files to join. Absent means the host's, which is refused when the CRI asked for the pod's. */
export interface NamespacePaths {
  readonly network?: string;
  readonly ipc?: string;
  readonly uts?: string;
  /** Of a pod with a user namespace of its own, which then owns the others. */
  readonly user?: string;
  /** Of the pod's infra process (pid mode POD) or of the target container's (TARGET). */
  readonly pid?: string;
}

/** Where on this host the content of the volumes is: absolute paths without symlinks. */
export interface VolumeSources {
  /** Of config.mounts, in their order. */
  readonly mounts: readonly string[];
  /** Of those that the image declares (declaredVolumes), as far as they have a directory of their own. */
  readonly declared: readonly { readonly destination: string; readonly source: string }[];
}

/** Host paths of what all containers of a pod see. */
export interface PodFiles {
  readonly resolvConf: string;
  /** The file for /etc/hostname. */
  readonly hostname: string;
  /** The directory for /dev/shm: the pod's tmpfs, or the host's /dev/shm when the pod uses the host's IPC. */
  readonly shm: string;
}
