/** How this host's cgroups are mounted: v1, v2, or hybrid (v1 controllers beside a cgroup2 mount). */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostCgroupFiles } from './cgroup-file.ts';

export type CgroupMode = 'v1' | 'hybrid' | 'v2';

export interface CgroupLayout {
  readonly mode: CgroupMode;
  /** Mount point of each v1 controller and named hierarchy: `memory`, `cpu`, `name=systemd`. Empty on v2. */
  readonly controllers: ReadonlyMap<string, string>;
  /** Mount point of the cgroup2 hierarchy: all there is on v2, beside the controllers on hybrid. */
  readonly unified: string | undefined;
  /** The controllers that the cgroup2 hierarchy owns. On hybrid any of them makes crun refuse to create containers. */
  readonly unifiedControllers: readonly string[];
  /** False where limits on huge pages make the OCI runtimes fail, so that they must not be asked for. */
  readonly hugetlb: boolean;
}

/** Reads the mounts of this process. No cgroup mount at all counts as v2 without a hierarchy. */
export function detectCgroups(mountInfo = readFileSync('/proc/self/mountinfo', 'utf8')): CgroupLayout {
  const controllers = new Map<string, string>();
  let unified: string | undefined;
  for (const { mountPoint, type, superOptions } of parseMounts(mountInfo)) {
    if (type === 'cgroup2') unified ??= mountPoint;
    if (type === 'cgroup') for (const name of controllerNames(superOptions)) if (!controllers.has(name)) controllers.set(name, mountPoint);
  }
  const mode: CgroupMode = controllers.size === 0 ? 'v2' : unified === undefined ? 'v1' : 'hybrid';
  const unifiedControllers = unified === undefined ? [] : (hostCgroupFiles.text(join(unified, 'cgroup.controllers')) ?? '').split(/\s+/).filter((name) => name !== '');
  const hugetlb = mode === 'v2' ? unifiedControllers.includes('hugetlb') : controllers.has('hugetlb');
  return { mode, controllers, unified, unifiedControllers, hugetlb };
}

/** The mount points of all hierarchies, each once: `cpu` and `cpuacct` often share one. */
export function hierarchies(layout: CgroupLayout): string[] {
  const mounts = new Set(layout.controllers.values());
  if (layout.unified !== undefined) mounts.add(layout.unified);
  return [...mounts];
}

/**
 * The cgroup that carries a container's limits. crun, when systemd makes the scope, puts the process and all limits on v2 into a cgroup
 * below it and leaves the scope itself without; what is counted there is counted in the scope too.
 */
export function limitedPath(layout: CgroupLayout, path: string): string {
  const below = join(path, 'container');
  return layout.mode === 'v2' && layout.unified !== undefined && path.endsWith('.scope') && existsSync(join(layout.unified, below)) ? below : path;
}

interface Mount {
  readonly mountPoint: string;
  readonly type: string;
  readonly superOptions: readonly string[];
}

/** proc_pid_mountinfo(5): id parent dev root mount-point options [optional…] - type source super-options */
function* parseMounts(mountInfo: string): Generator<Mount> {
  for (const line of mountInfo.split('\n')) {
    const words = line.split(' ');
    const dash = words.indexOf('-', 6);
    if (dash < 0) continue;
    yield { mountPoint: unescapeOctal(words[4]!), type: words[dash + 1]!, superOptions: (words[dash + 3] ?? '').split(',') };
  }
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

const mountFlags = new Set(['rw', 'ro', 'xattr', 'noprefix', 'clone_children', 'none', 'all']);

function controllerNames(superOptions: readonly string[]): string[] {
  return superOptions.filter((option) => option !== '' && !mountFlags.has(option) && !option.startsWith('release_agent='));
}
