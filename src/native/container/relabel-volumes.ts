import { relabel } from '../../part/lsm/relabel.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerInTheMaking } from './create-container.ts';
import { fileLabel } from './pod-place.ts';

/** Within the two minutes that a kubelet waits. */
const deadlineMs = 100_000;

/**
 * Gives the volumes that ask for it the container's own label (`sources` are what their host paths turned out to be), one after the other:
 * they may lie on one disk. Nothing undoes it, as nothing knows what was there before. Without SELinux, or on a file system without labels, it is without effect.
 */
export async function relabelVolumes(deps: ContainerDeps, { id, pod, config }: ContainerInTheMaking, { sources, signal }: { sources: readonly string[]; signal: AbortSignal }): Promise<void> {
  const label = fileLabel(deps.selinux, { pod, config });
  if (label === undefined) return;
  for (const path of sources.filter((_, index) => config.mounts[index]?.selinuxRelabel === true && config.mounts[index]?.hostPath !== '')) {
    const { outcome, changed } = await relabel({ path, label, attribute: 'security.selinux', own: [deps.roots.root, deps.roots.state] }, { deadlineMs, signal });
    if (outcome === 'unsupported') deps.log.info('a volume keeps its SELinux label: its file system has none for single files', { container: id, path });
    else deps.log.debug('volume relabelled', { container: id, path, label, outcome, changed });
  }
}
