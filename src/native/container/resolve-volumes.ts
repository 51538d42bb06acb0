import { readFile } from 'node:fs/promises';
import { failure } from '../../base/errors.ts';
import { MountPropagation } from '../../gen/cri.ts';
import { parseMountTable } from '../../host/mount-table.ts';
import type { MountEntry } from '../../host/mount-table.ts';
import type { VolumeSources } from '../../part/spec/spec-input.ts';
import { checkVolume } from '../../part/spec/volume-mount.ts';
import type { CheckedVolume } from '../../part/spec/volume-mount.ts';
import { checkPropagation } from './check-propagation.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerInTheMaking } from './create-container.ts';
import { mountImageVolume } from './mount-image-volume.ts';
import { prepareDeclaredVolumes } from './prepare-declared-volumes.ts';
import { resolveHostPath } from './resolve-host-path.ts';

export interface ResolvedVolumes {
  readonly sources: VolumeSources;
  /** The ids of the images that are mounted, by their place in config.mounts. */
  readonly images: Readonly<Record<number, string>>;
}

/**
 * Finds or makes what the container mounts: host paths, images, and the volumes that its own image declares. One after the other, so that
 * a container with many volumes on a dead file system waits on one thread, and for the first of them only.
 */
export async function resolveVolumes(deps: ContainerDeps, container: ContainerInTheMaking, signal: AbortSignal): Promise<ResolvedVolumes> {
  const volumes = container.config.mounts.map((mount, index) => checkVolume(mount, fieldOf(index), deps.hostFacts));
  await checkRecursiveReadOnly(deps, container.pod.handler, volumes);
  const mounts: string[] = [];
  const images: Record<number, string> = {};
  for (const [index, { from }] of volumes.entries()) {
    if ('hostPath' in from) mounts.push(await resolveHostPath(deps, from.hostPath, fieldOf(index)));
    else {
      const { source, imageId } = await mountImageVolume(deps, container, { ...from, index }, signal);
      mounts.push(source);
      images[index] = imageId;
    }
  }
  const table = await mountTable(volumes);
  for (const [index, { propagation }] of volumes.entries()) checkPropagation(table, { field: fieldOf(index), source: mounts[index]!, propagation });
  return { sources: { mounts, declared: await prepareDeclaredVolumes(deps, container, signal) }, images };
}

function fieldOf(index: number): string {
  return `config.mounts[${index}]`;
}

/** Read only for those who need it: a node may have thousands of mounts. */
async function mountTable(volumes: readonly CheckedVolume[]): Promise<MountEntry[]> {
  if (volumes.every(({ propagation }) => propagation === MountPropagation.PROPAGATION_PRIVATE)) return [];
  return parseMountTable(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** A runtime that does not know the option would mount read-only without what is mounted below, which is not what was asked for. */
async function checkRecursiveReadOnly(deps: ContainerDeps, handler: string, volumes: readonly CheckedVolume[]): Promise<void> {
  const wanting = volumes.find(({ recursiveReadOnly }) => recursiveReadOnly);
  if (wanting === undefined || await deps.recursiveReadOnly(handler)) return;
  throw failure('failed-precondition', {
    act: 'mount read-only recursively',
    object: wanting.destination,
    why: `the runtime handler ${handler} cannot; crun from 1.4 and runc from 1.1 can`,
    criReason: 'RROUnsupported',
  });
}
