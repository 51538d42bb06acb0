/** The limits of a container as the kernel has them: files of its cgroup, by their names in cgroup v1 or v2, for either cgroup driver. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { detectCgroups, limitedPath } from '../../src/part/cgroup/cgroup-layout.ts';
import { pathOfCgroupsPath } from '../../src/part/cgroup/cgroup-path.ts';
import type { CriClient } from './cri-client.ts';

export const onCgroup2 = existsSync('/sys/fs/cgroup/cgroup.controllers');

/** The path of the cgroup with its limits, in every hierarchy. */
export async function cgroupPath(client: CriClient, containerId: string): Promise<string> {
  const { info } = await client.containerStatus({ containerId, verbose: true });
  return limitedPath(detectCgroups(), pathOfCgroupsPath((JSON.parse(info['info'] ?? '{}') as { cgroup: string }).cgroup));
}

/** One value, trimmed. */
export async function cgroupValue(client: CriClient, containerId: string, v1: string, v2: string): Promise<string> {
  const cgroup = await cgroupPath(client, containerId);
  const [controller = ''] = v1.split('.');
  return readFileSync(onCgroup2 ? path.join('/sys/fs/cgroup', cgroup, v2) : path.join('/sys/fs/cgroup', controller, cgroup, v1), 'utf8').trim();
}

const limitNames = /^(cpu\.(shares|weight|max|cfs_\w+)|cpuset\.(cpus|mems)|memory\.(max|high|limit_in_bytes|memsw\.limit_in_bytes|swap\.max)|pids\.max|hugetlb\.\w+\.(max|limit_in_bytes))$/;

/** Every limit of its cgroup and of what a runtime made below it, by file. */
export async function allLimits(client: CriClient, containerId: string): Promise<Record<string, string>> {
  const cgroup = await cgroupPath(client, containerId);
  const roots = onCgroup2 ? ['/sys/fs/cgroup'] : readdirSync('/sys/fs/cgroup').map((name) => path.join('/sys/fs/cgroup', name));
  const folders = roots.map((root) => path.join(root, cgroup)).filter((folder) => existsSync(folder));
  const files = folders.flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => path.join(folder, name)));
  return Object.fromEntries(files.filter((file) => limitNames.test(path.basename(file))).map((file) => [file, readFileSync(file, 'utf8')]));
}
