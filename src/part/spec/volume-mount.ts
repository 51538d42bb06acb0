import { failure } from '../../base/errors.ts';
import type { ImageSpec, Mount } from '../../gen/cri.ts';
import { MountPropagation } from '../../gen/cri.ts';
import { badField, checkAbsolutePath, checkEnum, checkText, quote } from './check-field.ts';
import type { HostFacts } from './host-facts.ts';
import { mountMappings } from './mount-mappings.ts';
import type { OciMount } from './oci-spec.ts';

const propagationOptions = {
  [MountPropagation.PROPAGATION_PRIVATE]: 'rprivate',
  [MountPropagation.PROPAGATION_HOST_TO_CONTAINER]: 'rslave',
  [MountPropagation.PROPAGATION_BIDIRECTIONAL]: 'rshared',
} as const;

const allowedOptions = new Set(['noexec', 'nodev', 'nosuid']);

/** What a CRI mount asks for, its fields checked. */
export interface CheckedVolume {
  readonly destination: string;
  /**
   * A path of the host, or an image with a path inside it (empty: all of it). With a host path the CRI's image_sub_path counts for nothing: in a pod
   * that has an image volume the kubelet sends the subPath of every mount there, and has put it into host_path already.
   */
  readonly from: { readonly hostPath: string } | { readonly image: ImageSpec; readonly subPath: string };
  readonly propagation: Exclude<MountPropagation, -1>;
  readonly recursiveReadOnly: boolean;
  readonly options: readonly string[];
}

/**
 * Checks the fields of a CRI mount, `field` being where it stands (`config.mounts[2]`), without looking at the host: what is wrong here
 * can be refused before anything is made. `selinux_relabel` is done elsewhere (native/container/relabel-volumes.ts).
 */
export function checkVolume(mount: Mount, field: string, facts: HostFacts): CheckedVolume {
  const destination = checkAbsolutePath(`${field}.container_path`, mount.containerPath);
  if (destination === '/') throw badField(`${field}.container_path`, 'the root itself cannot be mounted over');
  const from = mount.image === undefined ? { hostPath: checkAbsolutePath(`${field}.host_path`, mount.hostPath) } : imageVolume(mount, mount.image, field);
  const propagation = checkEnum(`${field}.propagation`, mount.propagation, MountPropagation) as Exclude<MountPropagation, -1>;
  const options = ['rbind', propagationOptions[propagation], accessOf(mount, field, facts), ...extraOptions(mount, field)];
  return { destination, from, propagation, recursiveReadOnly: mount.recursiveReadOnly, options };
}

/** A CRI mount as a bind mount of `source`, which is what its host path or its image turned out to be on this host. The owners in an image are mapped already. */
export function volumeMount(mount: Mount, { field, source, facts }: { field: string; source: string | undefined; facts: HostFacts }): OciMount {
  const { destination, options } = checkVolume(mount, field, facts);
  if (source === undefined) throw failure('internal', { act: 'mount', object: field, why: 'nobody has looked for it on this host' });
  const mappings = mountMappings(mount, field);
  // An image is mounted from layers that show the pod's ids already, and the kernel maps no overlayfs a second time.
  return { destination, type: 'bind', source, options, ...(mount.image === undefined ? mappings : {}) };
}

/**
 * How the container's root must propagate for its mounts to do so: a shared mount in a private tree would be cut off from the host. Undefined: the
 * runtime's default, private.
 */
export function rootPropagation(mounts: readonly Mount[]): 'rshared' | 'rslave' | undefined {
  const wants = (propagation: MountPropagation): boolean => mounts.some((mount) => mount.propagation === propagation);
  if (wants(MountPropagation.PROPAGATION_BIDIRECTIONAL)) return 'rshared';
  return wants(MountPropagation.PROPAGATION_HOST_TO_CONTAINER) ? 'rslave' : undefined;
}

/** An image cannot be written (KEP-4639), and whoever asks for a writable one would wonder where what they wrote has gone. */
function imageVolume(mount: Mount, image: ImageSpec, field: string): { image: ImageSpec; subPath: string } {
  if (mount.hostPath !== '') throw badField(`${field}.host_path`, 'it is one or the other: host_path or image');
  if (image.image === '') throw badField(`${field}.image.image`, 'it is missing');
  if (!mount.readonly) throw badField(`${field}.readonly`, 'an image can only be mounted read-only');
  const subPath = checkText(`${field}.image_sub_path`, mount.imageSubPath);
  if (subPath.startsWith('/')) throw badField(`${field}.image_sub_path`, `${quote(subPath)} is not a relative path`);
  if (subPath !== '') checkAbsolutePath(`${field}.image_sub_path`, `/${subPath}`);
  return { image, subPath };
}

function accessOf(mount: Mount, field: string, facts: HostFacts): string {
  if (!mount.recursiveReadOnly) return mount.readonly ? 'ro' : 'rw';
  if (!mount.readonly) throw badField(`${field}.recursive_read_only`, 'it needs readonly too');
  if (mount.propagation !== MountPropagation.PROPAGATION_PRIVATE) throw badField(`${field}.recursive_read_only`, 'it needs private propagation');
  if (!facts.recursiveReadOnly) {
    throw failure('failed-precondition', {
      act: 'mount read-only recursively',
      object: mount.containerPath,
      why: 'it needs Linux 5.12 or newer',
      criReason: 'RROUnsupported',
    });
  }
  return 'rro';
}

function extraOptions({ mountOptions }: Mount, field: string): string[] {
  for (const [index, option] of mountOptions.entries()) {
    if (!allowedOptions.has(option)) throw badField(`${field}.mount_options[${index}]`, `${quote(option)} is none of ${[...allowedOptions].join(', ')}`);
  }
  return [...new Set(mountOptions)];
}
