import { MountPropagation } from '../../gen/cri.ts';
import type { Mount } from '../../gen/cri.ts';

const propagations: Readonly<Record<MountPropagation, string>> = {
  [MountPropagation.PROPAGATION_PRIVATE]: 'rprivate',
  [MountPropagation.PROPAGATION_HOST_TO_CONTAINER]: 'rslave',
  [MountPropagation.PROPAGATION_BIDIRECTIONAL]: 'rshared',
  [MountPropagation.UNRECOGNIZED]: '',
};

/** `Mounts` of a container. */
export function mountDocument({ image, hostPath, containerPath, readonly, propagation }: Mount): object {
  const kind = image === undefined ? { Type: 'bind', Source: hostPath } : { Type: 'image', Source: image.image };
  return { ...kind, Destination: containerPath, Mode: readonly ? 'ro' : '', RW: !readonly, Propagation: propagations[propagation] };
}

/** `HostConfig.Binds` of a container. */
export function bindsOf(mounts: readonly Mount[]): string[] {
  return mounts.filter(({ image }) => image === undefined).map(({ hostPath, containerPath, readonly }) => `${hostPath}:${containerPath}${readonly ? ':ro' : ''}`);
}
