import { mkdirSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { failure, messageOf } from '../../base/errors.ts';
import { getByIdPrefix } from '../../base/object-id.ts';
import type { CallContext, PodCheckpointRequest } from '../../engine/engine.ts';
import { RestorePodRequest } from '../../gen/cri.ts';
import { publishFile } from '../../host/files.ts';
import { jsonOf } from '../../part/checkpoint/documents.ts';
import { formatPodOptions, podNames } from '../../part/checkpoint/pod-documents.ts';
import { captureContainers } from '../container/capture-containers.ts';
import { checkRunning, packCheckpoint } from '../container/checkpoint-container.ts';
import { checkpointFolder } from '../container/checkpoint-paths.ts';
import { checkCheckpointSupport } from '../container/checkpoint-support.ts';
import type { ContainerRecord } from '../container/container-record.ts';
import { duringOnce } from '../container/during-once.ts';
import { tellWhyStopped } from '../container/tell-why-stopped.ts';
import type { CheckpointDeps } from './checkpoint-deps.ts';
import type { PodRecord } from './pod-record.ts';
import { podName } from '../../part/spec/pod-config.ts';

/** For a caller without a deadline, which the CRI does not allow. */
const longestSeconds = 3600;

/**
 * Writes the named containers of a pod down as of one moment: all are paused, each is captured, all go on. The directory gets an archive for each and
 * two documents, or, when anything fails, nothing. What is named has to be running, all of it of this pod.
 */
export async function checkpointPod(deps: CheckpointDeps, pod: PodRecord, request: PodCheckpointRequest, ctx: CallContext): Promise<void> {
  const detail = { act: 'checkpoint pod', object: podName(pod.config) };
  try {
    refuseOptions(request.options);
    const records = containersOf(deps, pod, request.containerIds);
    await checkOutput(request.outputPath);
    const place = deps.containers.pods.get(pod.id);
    if (place?.ready !== true) throw failure('failed-precondition', { ...detail, why: 'it is not ready' });
    await checkCheckpointSupport(deps.containers, place, { act: 'checkpoint container', object: records[0]!.id });
    const id = deps.containers.ids.make();
    await deps.containers.checkpoints.run({ id, containers: records.map((record) => record.id) }, async (stop) => {
      await tellWhyStopped({ stop, caller: ctx.signal, seconds: longestSeconds }, async (signal) => {
        try {
          await take(deps, { id, pod, records, output: request.outputPath }, { ctx, signal });
        } finally {
          await deps.containers.effects.rollback(id);
        }
      });
    });
  } catch (error) {
    throw duringOnce(error, detail);
  }
}

interface Order {
  readonly id: string;
  readonly pod: PodRecord;
  readonly records: readonly ContainerRecord[];
  readonly output: string;
}

async function take({ containers }: CheckpointDeps, { id, pod, records, output }: Order, { ctx, signal }: { ctx: CallContext; signal: AbortSignal }): Promise<void> {
  const folder = checkpointFolder(containers.roots, id);
  const named = records.map((record, n) => ({ record, name: `container-${n}`, folder: join(folder, String(n)) }));
  await containers.effects.make({ owner: id, kind: 'checkpoint-images', data: { path: folder } }, () => {
    for (const one of named) mkdirSync(one.folder, { recursive: true, mode: 0o700 });
  });
  await captureContainers(containers, named, { id, ctx, signal });
  await ctx.stages.run('archive', async () => {
    const files: { readonly name: string; readonly write: (path: string) => Promise<void> }[] = [
      ...named.map((one) => ({ name: `${one.name}.tar`, write: (path: string) => packCheckpoint(one.folder, path, signal) })),
      { name: podNames.config, write: (path) => writeFile(path, jsonOf(pod.config), { mode: 0o600 }) },
      { name: podNames.request, write: (path) => writeFile(path, sameAgain(pod, records), { mode: 0o600 }) },
      // The last: what has it is whole.
      { name: podNames.options, write: (path) => writeFile(path, formatPodOptions(new Map(named.map(({ record, name }) => [record.config.metadata?.name ?? '', name]))), { mode: 0o600 }) },
    ];
    const partial = (name: string): string => join(output, `.${name}.${id.slice(0, 16)}.partial`);
    for (const { name, write } of files) await containers.effects.make({ owner: id, kind: 'checkpoint-archive', data: { path: partial(name) } }, () => write(partial(name)));
    await publishAll(files.map(({ name }) => ({ temporary: partial(name), path: join(output, name) })), signal);
  });
}

function sameAgain({ config, runtimeHandler }: PodRecord, records: readonly ContainerRecord[]): Uint8Array {
  return RestorePodRequest.encode({ checkpointPath: '', config, runtimeHandler, options: {}, containerConfigs: records.map((record) => record.config) }).finish();
}

/** All get their names, or none keeps one. */
async function publishAll(files: readonly { readonly temporary: string; readonly path: string }[], signal: AbortSignal): Promise<void> {
  try {
    for (const { temporary, path } of files) {
      signal.throwIfAborted();
      await publishFile(temporary, path);
    }
  } catch (error) {
    await Promise.all(files.map(({ path }) => rm(path, { force: true })));
    throw error;
  }
}

/** Throws invalid-argument for any: the CRI wants none ignored. */
export function refuseOptions(options: Readonly<Record<string, string>>): void {
  const [unknown] = Object.keys(options);
  if (unknown !== undefined) throw failure('invalid-argument', { act: 'check options', object: JSON.stringify(unknown), why: 'there is no such option; none is known' });
}

function containersOf({ containers }: CheckpointDeps, pod: PodRecord, ids: readonly string[]): ContainerRecord[] {
  const refuse = (why: string): Error => failure('invalid-argument', { act: 'check container_ids', why });
  if (ids.length === 0) throw refuse('it is empty: name the containers that are to be captured');
  const records = ids.map((id) => getByIdPrefix(containers.records, id, 'container'));
  if (new Set(records.map(({ id }) => id)).size < records.length) throw refuse('a container is named twice');
  for (const record of records) {
    if (record.podId !== pod.id) throw refuse(`${record.id} is no container of this pod`);
    checkRunning(record);
  }
  return records;
}

async function checkOutput(path: string): Promise<void> {
  const detail = { act: 'check output_path', object: JSON.stringify(path) };
  if (!isAbsolute(path) || normalize(path) !== path || path.includes('\0')) throw failure('invalid-argument', { ...detail, why: 'it is not the absolute path of a directory' });
  const names = await readdir(path).catch((cause: unknown) => {
    throw failure('invalid-argument', { ...detail, why: `it cannot be used: ${messageOf(cause)}`, cause });
  });
  if (names.length > 0) throw failure('invalid-argument', { ...detail, why: 'it is not empty' });
}
