import { failure } from '../../base/errors.ts';
import { MountPropagation } from '../../gen/cri.ts';
import { mountOf } from '../../host/mount-table.ts';
import type { MountEntry } from '../../host/mount-table.ts';

/**
 * Mounts only travel between the node and a container if the node's mount that holds the volume takes part: shared to take the
 * container's, shared or a slave to hand on the node's. Otherwise failed-precondition: the container would never see what it waits for.
 */
export function checkPropagation(table: readonly MountEntry[], { field, source, propagation }: { field: string; source: string; propagation: MountPropagation }): void {
  if (propagation === MountPropagation.PROPAGATION_PRIVATE) return;
  const mount = mountOf(table, source);
  const bidirectional = propagation === MountPropagation.PROPAGATION_BIDIRECTIONAL;
  if (mount?.shared === true || (!bidirectional && mount?.slave === true)) return;
  const wanted = bidirectional ? 'a shared mount' : 'a shared or slave mount';
  const mountPoint = mount?.mountPoint ?? '/';
  throw failure('failed-precondition', {
    act: 'check',
    object: `${field}.propagation`,
    why: `${source} has to be on ${wanted}, but ${mountPoint} is ${mount?.slave === true ? 'a slave' : 'private'} on this node: mount --make-rshared ${mountPoint}`,
  });
}
