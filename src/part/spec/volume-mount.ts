import { failure } from '../../base/errors.ts';
import type { Mount } from '../../gen/cri.ts';
import { MountPropagation } from '../../gen/cri.ts';
import { badField, checkAbsolutePath, checkEnum, quote, unsupportedField } from './check-field.ts';
import type { HostFacts } from './host-facts.ts';
import { mountMappings } from './mount-mappings.ts';
import type { OciMount } from './oci-spec.ts';

const propagationOptions = {
  [MountPropagation.PROPAGATION_PRIVATE]: 'rprivate',
  [MountPropagation.PROPAGATION_HOST_TO_CONTAINER]: 'rslave',
  [MountPropagation.PROPAGATION_BIDIRECTIONAL]: 'rshared',
} as const;

const allowedOptions = new Set(['noexec', 'nodev', 'nosuid']);

/**
 * A CRI mount as a bind mount. A symlink as host path is followed by mount(2) itself, and a host path that does not exist fails in
 * the runtime. `selinux_relabel` is done before (native/container/relabel-volumes.ts).
 */
export function volumeMount(mount: Mount, field: string, facts: HostFacts): OciMount {
  refuseUnsupported(mount, field);
  const destination = checkAbsolutePath(`${field}.container_path`, mount.containerPath);
  if (destination === '/') throw badField(`${field}.container_path`, 'the root itself cannot be mounted over');
  const source = checkAbsolutePath(`${field}.host_path`, mount.hostPath);
  return { destination, type: 'bind', source, options: ['rbind', propagationOf(mount, field), accessOf(mount, field, facts), ...extraOptions(mount, field)], ...mountMappings(mount, field) };
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

function propagationOf(mount: Mount, field: string): string {
  const propagation = checkEnum(`${field}.propagation`, mount.propagation, MountPropagation);
  return propagationOptions[propagation as Exclude<MountPropagation, -1>];
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

function refuseUnsupported(mount: Mount, field: string): void {
  if (mount.image !== undefined) throw unsupportedField(`${field}.image`, 'image volumes are not supported yet');
  if (mount.imageSubPath !== '') throw badField(`${field}.image_sub_path`, 'it needs image');
}
