import { MountPropagation } from '../../gen/cri.ts';
import type { Mount } from '../../gen/cri.ts';
import { checkVolume } from '../../part/spec/volume-mount.ts';
import type { HostFacts } from '../../part/spec/host-facts.ts';
import { isAtLeast } from '../api/api-version.ts';
import type { ApiVersion } from '../api/api-version.ts';

const propagations: Readonly<Record<number, string>> = {
  [MountPropagation.PROPAGATION_PRIVATE]: 'rprivate',
  [MountPropagation.PROPAGATION_HOST_TO_CONTAINER]: 'rslave',
  [MountPropagation.PROPAGATION_BIDIRECTIONAL]: 'rshared',
};

export interface EngineMounts {
  readonly Mounts: object[];
  /** `source:target:options`, the only form in which the Engine relabels for SELinux. */
  readonly Binds: string[];
}

export interface MountsInput {
  readonly mounts: readonly Mount[];
  readonly facts: HostFacts;
  readonly version: ApiVersion;
}

/** The CRI's mounts as the Engine's. A field that no mount can have: invalid-argument. */
export function engineMounts({ mounts, facts, version }: MountsInput): EngineMounts {
  const made: EngineMounts = { Mounts: [], Binds: [] };
  for (const [index, mount] of mounts.entries()) {
    const { destination, from } = checkVolume(mount, `config.mounts[${index}]`, facts);
    if ('image' in from) made.Mounts.push({ Type: 'image', Source: from.image.image, Target: destination, ReadOnly: true, ...(from.subPath === '' ? {} : { ImageOptions: { Subpath: from.subPath } }) });
    else if (mount.selinuxRelabel) made.Binds.push(`${from.hostPath}:${destination}:${[mount.readonly ? 'ro' : 'rw', propagations[mount.propagation], 'z'].join(',')}`);
    else made.Mounts.push(bind({ mount, source: from.hostPath, target: destination, version }));
  }
  return made;
}

function bind({ mount, source, target, version }: { mount: Mount; source: string; target: string; version: ApiVersion }): object {
  // From 1.44 on the Engine makes read-only mounts recursively so, where the kernel can; the CRI asks for it apart.
  const recursion = mount.readonly && isAtLeast(version, '1.44') ? (mount.recursiveReadOnly ? { ReadOnlyForceRecursive: true } : { ReadOnlyNonRecursive: true }) : {};
  return { Type: 'bind', Source: source, Target: target, ReadOnly: mount.readonly, BindOptions: { Propagation: propagations[mount.propagation], ...recursion } };
}
