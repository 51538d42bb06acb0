import { constants } from 'node:fs';
import { copyFile, lstat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findBeneath } from '../../host/beneath.ts';
import { archiveNames } from '../../part/checkpoint/archive-names.ts';
import { formatContainer, jsonOf } from '../../part/checkpoint/documents.ts';
import type { OciSpec } from '../../part/spec/oci-spec.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerRecord } from './container-record.ts';
import { containerStatus } from './container-status.ts';
import { readSpec } from './read-spec.ts';

/** Writes what people and tools want to know of a captured container beside its images: who it was, its spec, its status, its mounts and its log. */
export async function describeContainer(deps: ContainerDeps, record: ContainerRecord, folder: string): Promise<void> {
  const capturedAt = new Date();
  const write = (name: string, bytes: Buffer): Promise<void> => writeFile(join(folder, name), bytes, { mode: 0o600 });
  const { bundle, rootfs } = containerPaths(deps.roots, record.id);
  const spec = await readSpec(deps, record);
  await write(archiveNames.config, formatContainer({
    id: record.id,
    name: record.config.metadata?.name ?? '',
    image: record.config.image?.userSpecifiedImage || record.config.image?.image || '',
    imageId: record.imageId,
    handler: record.handler,
    createdAt: dateOf(record.createdAt),
    capturedAt,
  }));
  await copyFile(join(bundle, 'config.json'), join(folder, archiveNames.spec));
  await write(archiveNames.criStatus, jsonOf(containerStatus(record)));
  await write(archiveNames.status, jsonOf(containerdStatus(record)));
  await write(archiveNames.bindMounts, jsonOf(bindMounts(spec, rootfs)));
  await copyLog(record.logPath, join(folder, archiveNames.containerLog));
}

function dateOf(ns: bigint): Date {
  return new Date(Number(ns / 1_000_000n));
}

/** Numbers as Go reads them; the nanoseconds are more than a JavaScript number holds, and are rounded to the millisecond. */
function containerdStatus(record: ContainerRecord): object {
  const millis = (ns: bigint | undefined): number => Number((ns ?? 0n) / 1_000_000n) * 1_000_000;
  return { CreatedAt: millis(record.createdAt), StartedAt: millis(record.startedAt), FinishedAt: 0, ExitCode: 0, Pid: record.process.pid, Reason: '', Message: '' };
}

/** The kind of a mount is that of what it covers in the root; its source may lie on a filesystem that does not answer. */
function bindMounts(spec: OciSpec | undefined, rootfs: string): object[] {
  return (spec?.mounts ?? []).filter(({ type }) => type === 'bind').map(({ source, destination }) => {
    const covered = findBeneath(rootfs, destination)?.stats;
    return { source, destination, file_type: covered?.isDirectory() === false ? 'file' : 'directory', permissions: (covered?.mode ?? 0o755) & 0o777 };
  });
}

/** The log as it is; a container may have none. */
async function copyLog(from: string, to: string): Promise<void> {
  if (from === '' || (await lstat(from).catch(() => undefined))?.isFile() !== true) return;
  await copyFile(from, to, constants.COPYFILE_FICLONE);
}
