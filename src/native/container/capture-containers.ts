/** The part of a checkpoint for which containers stand still: all are paused, each is written down, all go on. */
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failure, GantryError } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
import { archiveNames } from '../../part/checkpoint/archive-names.ts';
import { errorsOf } from '../../part/checkpoint/criu.ts';
import { rootChanges } from '../../part/checkpoint/root-changes.ts';
import { jsonOf } from '../../part/checkpoint/documents.ts';
import { writeTar } from '../../part/checkpoint/write-tar.ts';
import { changesDir } from '../../part/snapshot/snapshotter.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerRecord } from './container-record.ts';
import { describeContainer } from './describe-container.ts';
import { writeFileAtomic } from '../../host/files.ts';

export interface Capture {
  readonly record: ContainerRecord;
  /** Gets the parts of its checkpoint; not there yet. */
  readonly folder: string;
}

/** A step of a capture may take as long as the caller waits; this is for one who waits for ever. */
export const longestCaptureMs = 60 * 60_000;

/**
 * Writes each container's processes, and what it changed in its root, into its folder, all as of one moment. When this returns, or throws, none is paused by it: an
 * OCI runtime that cannot resume one now is asked again in the background. `id` is the owner of the effects.
 */
export async function captureContainers(deps: ContainerDeps, captures: readonly Capture[], { id, ctx, signal }: { id: string; ctx: CallContext; signal: AbortSignal }): Promise<void> {
  try {
    await ctx.stages.run('pause', async () => {
      for (const { record } of captures) await pause(deps, record, id, signal);
    });
    await ctx.stages.run('capture', async () => {
      for (const capture of captures) await captureOne(deps, capture, signal);
    });
  } finally {
    await ctx.stages.run('resume', () => deps.effects.undo(id, ['paused']));
  }
}

async function pause(deps: ContainerDeps, record: ContainerRecord, owner: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const runtime = deps.handlers.of(record.handler);
  await deps.effects.make({ owner, kind: 'paused', data: { container: record.id, handler: record.handler } }, () => runtime.pause(record.id));
}

async function captureOne(deps: ContainerDeps, { record, folder }: Capture, signal: AbortSignal): Promise<void> {
  const images = join(folder, archiveNames.images);
  mkdirSync(images, { recursive: true, mode: 0o700 });
  try {
    await deps.handlers.of(record.handler).checkpoint(record.id, { images, work: folder, deadlineMs: longestCaptureMs, signal });
  } catch (error) {
    throw await withReasons(error, join(folder, archiveNames.dumpLog));
  }
  await captureRoot(deps, { record, folder }, signal);
  await describeContainer(deps, record, folder);
}

async function captureRoot(deps: ContainerDeps, { record, folder }: Capture, signal: AbortSignal): Promise<void> {
  const upper = changesDir('overlay', containerPaths(deps.roots, record.id).writable);
  const { present, deleted } = await rootChanges(upper, record.layers);
  await writeTar({ directory: upper, names: present, recursive: false, to: join(folder, archiveNames.rootChanges), deadlineMs: longestCaptureMs, signal });
  if (deleted.length > 0) await writeFileAtomic(join(folder, archiveNames.deletedFiles), jsonOf(deleted));
}

const maxReasons = 4;

/** The OCI runtimes say no more than that CRIU failed; why is in its log. */
export async function withReasons(failed: unknown, log: string): Promise<unknown> {
  if (!(failed instanceof GantryError) || failed.kind === 'cancelled' || failed.kind === 'deadline-exceeded') return failed;
  const reasons = errorsOf(await readFile(log, 'utf8').catch(() => '')).slice(0, maxReasons);
  if (reasons.length === 0) return failed;
  return failure('failed-precondition', { act: failed.act, ...(failed.object === undefined ? {} : { object: failed.object }), why: `CRIU: ${reasons.join('; ')}`, cause: failed });
}
