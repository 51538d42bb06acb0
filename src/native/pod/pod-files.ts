import { hostname } from 'node:os';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hasCode } from '../../base/errors.ts';
import { letRootPass } from '../../host/files.ts';
import { libc, MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID, UMOUNT_NOFOLLOW } from '../../host/libc.ts';
import type { PodDeps } from './pod-deps.ts';
import { hostnameOf } from './pod-namespaces.ts';
import { podPaths } from './pod-paths.ts';
import { resolvConf } from '../../part/spec/resolv-conf.ts';
import { podFileLabel } from './selinux-level.ts';
import type { PodInTheMaking } from './run-pod.ts';
import { podIdMappings, usesHostIpc, usesHostNetwork } from '../../part/spec/pod-config.ts';

/** What a /dev/shm holds when nobody says otherwise: Docker's figure, which programs have come to expect. */
const shmBytes = 64 * 1024 * 1024;

/** Makes the pod's directory with the files that its containers mount, and its /dev/shm if it has an IPC namespace of its own. */
export async function makeFiles(deps: PodDeps, pod: PodInTheMaking): Promise<void> {
  const paths = podPaths(deps.roots.state, pod.id);
  const maps = podIdMappings(pod.config);
  const label = podFileLabel(deps.selinux, pod.selinuxLevel);
  const nameservers = resolvConf(pod.config.dnsConfig, await nodeResolvConf());
  await deps.effects.make({ owner: pod.id, kind: 'pod-directory', data: { path: paths.directory } }, () => {
    // Closed to the node's users: a /dev/shm that everyone in the pod may write is in it.
    mkdirSync(paths.directory, { recursive: true, mode: 0o700 });
    letRootPass(paths.directory, maps);
    // Nothing of a pod survives a reboot, so nothing here needs to reach the disk.
    writeFileSync(paths.resolvConf, nameservers, { mode: 0o644 });
    writeFileSync(paths.hostname, `${usesHostNetwork(pod.config) ? hostname() : hostnameOf(pod)}\n`, { mode: 0o644 });
    if (maps !== undefined) for (const path of [paths.resolvConf, paths.hostname]) chownSync(path, maps.uids.hostId, maps.gids.hostId);
    if (label !== undefined) for (const file of [paths.resolvConf, paths.hostname]) libc.lsetxattr(file, 'security.selinux', Buffer.from(`${label}\0`), 0);
  });
  if (usesHostIpc(pod.config)) return;
  await deps.effects.make({ owner: pod.id, kind: 'shm', data: { path: paths.shm } }, () => {
    mkdirSync(paths.shm, { recursive: true, mode: 0o711 });
    const owner = `uid=${maps?.uids.hostId ?? 0},gid=${maps?.gids.hostId ?? 0}`;
    libc.mount('shm', paths.shm, 'tmpfs', MS_NOSUID | MS_NODEV | MS_NOEXEC, `mode=1777,size=${shmBytes},${owner}${label === undefined ? '' : `,context="${label}"`}`);
  });
}

/** Undo of `shm`; not mounted, or gone, is fine. */
export async function removeShm({ path }: { path: string }): Promise<void> {
  try {
    await libc.umount2Aside(path, UMOUNT_NOFOLLOW | MNT_DETACH);
  } catch (error) {
    if (!hasCode(error, 'EINVAL') && !hasCode(error, 'ENOENT')) throw error;
  }
}

async function nodeResolvConf(): Promise<string> {
  try {
    return await readFile('/etc/resolv.conf', 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
