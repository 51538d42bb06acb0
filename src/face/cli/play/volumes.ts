/** Volumes as directories and files on the node. */
import { chmod, chown, mkdir, open, stat, writeFile } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import path from 'node:path';
import { failure, hasCode } from '../../../base/errors.ts';
import type { DataSources } from './data-sources.ts';
import type { HostPathType, PodManifest, VolumeSpec } from './manifest.ts';
import type { PlayDirs } from './play-dirs.ts';

/** A path of the node may lie on a server that does not answer. */
const hostPathDeadlineMs = 10_000;

const typeChecks: Readonly<Partial<Record<HostPathType, (found: Stats) => boolean>>> = {
  Directory: (found) => found.isDirectory(),
  DirectoryOrCreate: (found) => found.isDirectory(),
  File: (found) => found.isFile(),
  FileOrCreate: (found) => found.isFile(),
  Socket: (found) => found.isSocket(),
  CharDevice: (found) => found.isCharacterDevice(),
  BlockDevice: (found) => found.isBlockDevice(),
};

/** What is wrong with the node's paths that the pods want, before anything is made. */
export async function hostPathProblems(pods: readonly PodManifest[]): Promise<string[]> {
  const checks = pods.flatMap((pod) => pod.spec.volumes.map(async (volume) => {
    const problem = volume.kind === 'hostPath' ? await hostPathProblem(volume.hostPath, volume.type) : undefined;
    return problem === undefined ? [] : [`${pod.source}: ${volume.path}.hostPath: ${problem}`];
  }));
  return (await Promise.all(checks)).flat();
}

async function hostPathProblem(hostPath: string, type: HostPathType): Promise<string | undefined> {
  const check = typeChecks[type];
  if (!check || hostPath === '') return undefined;
  try {
    const found = await withinDeadline(stat(hostPath), hostPath);
    return check(found) ? undefined : `${hostPath} is not what type ${type} wants`;
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) return error instanceof Error ? error.message : String(error);
    return type.endsWith('OrCreate') ? undefined : `${hostPath} is not there, and type ${type} does not make it`;
  }
}

/** Makes the pod's volumes; where each lies is the result. Repeating it writes the data volumes anew. */
export async function makeVolumes(pod: PodManifest, dirs: PlayDirs, sources: DataSources): Promise<Map<string, string>> {
  const places = new Map<string, string>();
  for (const volume of pod.spec.volumes) places.set(volume.name, await makeVolume(volume, pod, dirs, sources));
  return places;
}

async function makeVolume(volume: VolumeSpec, pod: PodManifest, dirs: PlayDirs, sources: DataSources): Promise<string> {
  const { fsGroup } = pod.spec.security;
  switch (volume.kind) {
    case 'hostPath':
      await makeHostPath(volume.hostPath, volume.type);
      return volume.hostPath;
    case 'emptyDir': {
      const place = dirs.volume(volume.name);
      await mkdir(place, { recursive: true });
      if (fsGroup !== undefined) await chown(place, 0, Number(fsGroup));
      // Any user of the pod may write; with fsGroup, what they make stays with the group.
      await chmod(place, fsGroup === undefined ? 0o777 : 0o2777);
      return place;
    }
    default: {
      const place = dirs.volume(volume.name);
      await mkdir(place, { recursive: true });
      await chmod(place, 0o755);
      const data = sources(volume.kind, pod.namespace, volume.object)?.data ?? new Map<string, Buffer>();
      const items = volume.items ?? [...data.keys()].map((key) => ({ key, path: key, mode: undefined }));
      for (const item of items) {
        const content = data.get(item.key);
        if (content) await writeItem(path.join(place, item.path), content, item.mode ?? volume.defaultMode, fsGroup);
      }
      return place;
    }
  }
}

async function makeHostPath(hostPath: string, type: HostPathType): Promise<void> {
  if (type === 'DirectoryOrCreate') {
    await withinDeadline(mkdir(hostPath, { recursive: true, mode: 0o755 }), hostPath);
  } else if (type === 'FileOrCreate') {
    const file = await withinDeadline(open(hostPath, 'a', 0o644), hostPath);
    await file.close();
  }
}

async function writeItem(file: string, content: Buffer, mode: number, fsGroup: bigint | undefined): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o755 });
  await writeFile(file, content, { mode: 0o600 });
  if (fsGroup !== undefined) await chown(file, 0, Number(fsGroup));
  await chmod(file, fsGroup === undefined ? mode : mode | 0o440);
}

async function withinDeadline<T>(work: Promise<T>, object: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(failure('deadline-exceeded', { act: 'look at', object, why: `no answer within ${hostPathDeadlineMs / 1000} s` })),
    hostPathDeadlineMs,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
