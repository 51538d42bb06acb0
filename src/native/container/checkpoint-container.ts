import { mkdirSync } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize } from 'node:path';
import { failure, messageOf } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
import { publishFile } from '../../host/files.ts';
import { archiveNames } from '../../part/checkpoint/archive-names.ts';
import { writeTar } from '../../part/checkpoint/write-tar.ts';
import { captureContainers, longestCaptureMs } from './capture-containers.ts';
import { checkpointFolder } from './checkpoint-paths.ts';
import { checkCheckpointSupport } from './checkpoint-support.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';
import { stateWord } from './container-state.ts';
import { duringOnce } from './during-once.ts';
import { tellWhyStopped } from './tell-why-stopped.ts';

export interface CheckpointRequest {
  /** Where the archive is to be; a file that is there is replaced. */
  readonly location: string;
  /** 0 is ten minutes. */
  readonly timeoutSeconds: number;
}

const usualTimeoutSeconds = 600;

/**
 * Writes a running container down as an archive that checkpointctl, CRI-O and we can read, and lets it run on. The archive appears whole, for root only,
 * or not at all. Whatever fails, or takes too long, the container goes on.
 */
export async function checkpointContainer(deps: ContainerDeps, record: ContainerRecord, request: CheckpointRequest, ctx: CallContext): Promise<void> {
  const detail = { act: 'checkpoint container', object: record.config.metadata?.name ?? record.id } as const;
  try {
    await checkLocation(request.location);
    checkRunning(record);
    const pod = deps.pods.get(record.podId);
    if (pod !== undefined) await checkCheckpointSupport(deps, pod, detail);
    const id = deps.ids.make();
    await deps.checkpoints.run({ id, containers: [record.id] }, async (stop) => {
      const seconds = request.timeoutSeconds === 0 ? usualTimeoutSeconds : request.timeoutSeconds;
      await tellWhyStopped({ stop, caller: ctx.signal, seconds }, async (signal) => {
        try {
          await take(deps, { id, record, location: request.location }, { ctx, signal });
        } finally {
          await deps.effects.rollback(id);
        }
      });
    });
  } catch (error) {
    throw duringOnce(error, detail);
  }
}

interface Order {
  readonly id: string;
  readonly record: ContainerRecord;
  readonly location: string;
}

async function take(deps: ContainerDeps, { id, record, location }: Order, call: { ctx: CallContext; signal: AbortSignal }): Promise<void> {
  const folder = checkpointFolder(deps.roots, id);
  await deps.effects.make({ owner: id, kind: 'checkpoint-images', data: { path: folder } }, () => mkdirSync(folder, { recursive: true, mode: 0o700 }));
  await captureContainers(deps, [{ record, folder }], { id, ...call });
  const temporary = join(dirname(location), `.${basename(location).slice(0, 100)}.${id.slice(0, 16)}.partial`);
  await call.ctx.stages.run('archive', async () => {
    await deps.effects.make({ owner: id, kind: 'checkpoint-archive', data: { path: temporary } }, () => packCheckpoint(folder, temporary, call.signal));
    await publishFile(temporary, location);
  });
}

/** Writes the parts of a checkpoint as one tar, for root only. */
export async function packCheckpoint(folder: string, to: string, signal: AbortSignal): Promise<void> {
  await (await open(to, 'wx', 0o600)).close();
  // What says what it is comes first, so that tools need not read all the memory for it.
  const first: readonly string[] = [archiveNames.config, archiveNames.spec];
  const names = [...first, ...(await readdir(folder)).filter((name) => !first.includes(name)).sort()];
  await writeTar({ directory: folder, names: names.map((name) => Buffer.from(name)), recursive: true, to, deadlineMs: longestCaptureMs, signal });
}

/** Throws unless the container runs: there is nothing to be captured of another. */
export function checkRunning(record: ContainerRecord): void {
  const state = stateWord(record);
  if (state !== 'running') throw failure('failed-precondition', { act: 'checkpoint container', object: record.id, why: `it is ${state}, and only a running one can be captured` });
}

async function checkLocation(location: string): Promise<void> {
  const detail = { act: 'check location', object: JSON.stringify(location) };
  if (!isAbsolute(location) || normalize(location) !== location || location.endsWith('/') || location.includes('\0')) throw failure('invalid-argument', { ...detail, why: 'it is not the absolute path of a file' });
  const folder = await stat(dirname(location)).catch((cause: unknown) => {
    throw failure('invalid-argument', { ...detail, why: `its folder cannot be used: ${messageOf(cause)}`, cause });
  });
  if (!folder.isDirectory()) throw failure('invalid-argument', { ...detail, why: 'its parent is no folder' });
  if ((await stat(location).catch(() => undefined))?.isDirectory() === true) throw failure('invalid-argument', { ...detail, why: 'there is a folder of this name' });
}
