import { chownSync } from 'node:fs';
import { join } from 'node:path';
import { failure, hasCode, messageOf } from '../../base/errors.ts';
import { findBeneath, mkdirBeneath } from '../../host/beneath.ts';
import type { Owner } from '../../host/beneath.ts';
import { copyTree } from '../../host/copy-tree.ts';
import { makePrivateDir } from '../../host/files.ts';
import { declaredVolumes } from '../../part/spec/declared-volumes.ts';
import type { VolumeSources } from '../../part/spec/spec-input.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerInTheMaking } from './create-container.ts';
import { rootOf } from './pod-place.ts';

/** What a volume of which the image has nothing looks like. */
const emptyVolumeMode = 0o755;

/**
 * Makes what the configuration wants of the volumes that the image declares, and answers those that are to be mounted. All of it lies in the
 * container's writable layer and goes with that. What the image has in a volume's place is copied into it, owners and all; an empty one is
 * the pod's root's. Paths are
 * the image's choice: they are followed inside its root only (CVE-2022-23648).
 */
export async function prepareDeclaredVolumes(deps: ContainerDeps, container: ContainerInTheMaking, signal: AbortSignal): Promise<VolumeSources['declared']> {
  const { imageVolumes } = deps.volumeSettings();
  if (imageVolumes === 'ignore') return [];
  const { rootfs, declaredVolumes: directory } = containerPaths(deps.roots, container.id);
  const owner = rootOf(container.pod);
  const volumes = declaredVolumes(container.image.config, container.config.mounts).map((destination, index) => ({ destination, source: join(directory, String(index)) }));
  for (const { destination, source } of volumes) {
    try {
      if (imageVolumes === 'mkdir') mkdirBeneath(rootfs, destination, { mode: emptyVolumeMode, owner });
      else await seed(rootfs, { destination, source, owner }, signal);
    } catch (error) {
      throw unusable(destination, error);
    }
  }
  return imageVolumes === 'mkdir' ? [] : volumes;
}

async function seed(rootfs: string, { destination, source, owner }: { destination: string; source: string; owner: Owner | undefined }, signal: AbortSignal): Promise<void> {
  makePrivateDir(source, emptyVolumeMode);
  if (owner !== undefined) chownSync(source, owner.uid, owner.gid);
  const content = findBeneath(rootfs, destination);
  if (content === undefined) return;
  if (!content.stats.isDirectory()) throw failure('failed-precondition', { act: 'copy', object: destination, why: 'the image has a file there, not a directory' });
  await copyTree(content.path, source, signal);
}

function unusable(destination: string, cause: unknown): Error {
  const kind = hasCode(cause, 'ENOSPC') || hasCode(cause, 'EDQUOT') ? 'resource-exhausted' : 'failed-precondition';
  return failure(kind, { act: "make the image's VOLUME", object: destination, why: messageOf(cause), cause });
}
