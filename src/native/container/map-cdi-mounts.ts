import { closeSync, openSync } from 'node:fs';
import { during, isKind } from '../../base/errors.ts';
import { checkIdmappable } from '../../host/idmapped-mount.ts';
import type { ContainerEdits, EditedMount } from '../../base/container-edits.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { PodPlace } from './pod-place.ts';

/**
 * For a pod with a user namespace: marks those of the mounts that can be shown with the pod's owners, as the kubelet's volumes are, so that a
 * driver's files are root's inside. What cannot (`/sys`, `/dev`) is mounted as it is, for the CDI file does not say that it has to be mapped.
 */
export async function mapCdiMounts(deps: Pick<ContainerDeps, 'paths'>, { namespaces: { user } }: PodPlace, edits: readonly ContainerEdits[]): Promise<ContainerEdits[]> {
  if (user === undefined || edits.every(({ mounts }) => mounts.length === 0)) return [...edits];
  const userFd = openSync(user, 'r');
  try {
    return await Promise.all(edits.map(async (edit) => ({ ...edit, mounts: await Promise.all(edit.mounts.map(async (mount) => ({ ...mount, mapped: await canBeMapped(deps, mount, userFd) }))) })));
  } finally {
    closeSync(userFd);
  }
}

async function canBeMapped(deps: Pick<ContainerDeps, 'paths'>, { hostPath, type, options }: EditedMount, userFd: number): Promise<boolean> {
  if (type !== '' && type !== 'bind' && !options.includes('bind') && !options.includes('rbind')) return false;
  try {
    checkIdmappable(await deps.paths.resolve(hostPath), userFd);
    return true;
  } catch (error) {
    if (isKind(error, 'failed-precondition')) return false;
    throw during(error, { act: 'mount for CDI device', object: hostPath });
  }
}
