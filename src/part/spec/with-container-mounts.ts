import type { SpecStep } from './build-container-spec.ts';
import { defaultMounts } from './default-mounts.ts';
import type { OciMount } from './oci-spec.ts';
import { rootPropagation, volumeMount } from './volume-mount.ts';
import type { SpecInput } from './spec-input.ts';

/**
 * All mounts, each after those it lies in. The CRI's own win: a default mount on or below one of them is left out (who mounts the host's /dev wants
 * the host's /dev/pts), and so is a pod file on the same path, which is how the kubelet's /etc/hosts and resolv.conf come in. Of two for the same path the
 * later lies on top, as in containerd.
 */
export const withContainerMounts: SpecStep = (spec, input) => {
  const volumes = input.config.mounts.map((mount, index) => volumeMount(mount, { field: `config.mounts[${index}]`, source: input.volumes.mounts[index], facts: input.facts }));
  const declared = input.volumes.declared.map((volume): OciMount => ({ ...volume, type: 'bind', options: ['rbind', 'rprivate', 'rw'] }));
  const privileged = input.config.linux?.securityContext?.privileged ?? false;
  const defaults = defaultMounts(privileged).filter((mount) => !volumes.some((volume) => isWithin(mount.destination, volume.destination)));
  const files = podMounts(input).filter((mount) => !volumes.some((volume) => volume.destination === mount.destination));
  const rootfsPropagation = rootPropagation(input.config.mounts);
  return {
    ...spec,
    mounts: [...defaults, ...parentsFirst([...files, ...declared, ...volumes])],
    linux: { ...spec.linux, ...(rootfsPropagation === undefined ? {} : { rootfsPropagation }) },
  };
};

function podMounts({ config, podFiles }: SpecInput): OciMount[] {
  const access = config.linux?.securityContext?.readonlyRootfs ? 'ro' : 'rw';
  return [
    { destination: '/dev/shm', type: 'bind', source: podFiles.shm, options: ['rbind', 'rprivate', 'nosuid', 'noexec', 'nodev', 'rw'] },
    { destination: '/etc/hostname', type: 'bind', source: podFiles.hostname, options: ['rbind', 'rprivate', access] },
    { destination: '/etc/resolv.conf', type: 'bind', source: podFiles.resolvConf, options: ['rbind', 'rprivate', access] },
  ];
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/** Mounts ordered by depth. The sort is stable: mounts of one depth keep the kubelet's order. */
export function parentsFirst(mounts: readonly OciMount[]): OciMount[] {
  const depth = ({ destination }: OciMount): number => destination.split('/').length;
  return mounts.toSorted((a, b) => depth(a) - depth(b));
}
