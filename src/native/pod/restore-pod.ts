import { isAbsolute, join } from 'node:path';
import { failure, hasCode, messageOf } from '../../base/errors.ts';
import { Stages } from '../../base/stages.ts';
import type { CallContext, PodRestoreRequest, RestoredPod } from '../../engine/engine.ts';
import { readFileBeneath } from '../../host/beneath.ts';
import { maxDocumentBytes } from '../../part/checkpoint/documents.ts';
import { parsePodOptions, podNames } from '../../part/checkpoint/pod-documents.ts';
import { createContainer } from '../container/create-container.ts';
import { duringOnce } from '../container/during-once.ts';
import type { CheckpointDeps } from './checkpoint-deps.ts';
import { refuseOptions } from './checkpoint-pod.ts';
import type { PodDeps } from './pod-deps.ts';
import type { PodRecord } from './pod-record.ts';
import { removePod } from './remove-pod.ts';
import { runPod } from './run-pod.ts';
import { podKey, podName } from '../../part/spec/pod-config.ts';

/**
 * Makes a pod as RunPodSandbox would, and in it each container of a checkpoint as CreateContainer would: CREATED, and restored by its start. The
 * pod is on record as being restored until all of them are there, so that after a failure, or a crash, it is removed with all that it has.
 */
export async function restorePod(deps: CheckpointDeps, request: PodRestoreRequest, ctx: CallContext): Promise<RestoredPod> {
  try {
    refuseOptions(request.options);
    const archives = archivesFor(request);
    refuseKnown(deps.pods, request);
    const podId = await runPod(deps.pods, request, ctx);
    deps.pods.restoring.add(podId);
    try {
      markRestoring(deps.pods, podId, true);
      const containers = await createAll(deps, { podId, request, archives }, ctx);
      markRestoring(deps.pods, podId, undefined);
      return { podId, containers };
    } catch (error) {
      await removeHalfRestored(deps.pods, podId).catch(() => {}); // it is still marked: the background goes on
      throw error;
    } finally {
      deps.pods.restoring.delete(podId);
    }
  } catch (error) {
    throw duringOnce(error, { act: 'restore pod', object: podName(request.config) });
  }
}

interface Restore {
  readonly podId: string;
  readonly request: PodRestoreRequest;
  /** Container name to the absolute path of its archive. */
  readonly archives: ReadonlyMap<string, string>;
}

async function createAll({ containers }: CheckpointDeps, { podId, request, archives }: Restore, ctx: CallContext): Promise<{ name: string; id: string }[]> {
  const made: { name: string; id: string }[] = [];
  for (const config of request.containerConfigs) {
    ctx.signal.throwIfAborted();
    const name = config.metadata!.name;
    made.push({ name, id: await createContainer(containers, { podId, config, podConfig: request.config, checkpoint: { archive: archives.get(name)! } }, ctx) });
  }
  return made;
}

/** Takes away a pod whose restore failed, or was cut short by a crash. Its mark goes with it. */
export async function removeHalfRestored(deps: PodDeps, id: string): Promise<void> {
  await removePod(deps, id, { id: 'restore', signal: new AbortController().signal, stages: new Stages(), log: deps.log });
}

function markRestoring({ records }: PodDeps, id: string, restoring: true | undefined): void {
  const record = records.get(id);
  if (record === undefined || record.stopped) throw failure('failed-precondition', { act: 'restore pod', why: 'it was stopped meanwhile' });
  const { restoring: _, ...facts }: PodRecord = record;
  records.put(id, restoring === undefined ? facts : { ...facts, restoring });
}

/** A pod of this name that is there already is not this one, whatever runs in it. */
function refuseKnown({ records, isReady }: PodDeps, { config }: PodRestoreRequest): void {
  const key = podKey(config);
  const known = records.all().find((record) => podKey(record.config) === key && isReady(record));
  if (known !== undefined) throw failure('already-exists', { act: 'restore pod', why: `a pod of this name, uid and attempt is there: ${known.id}; remove it or give the next attempt number` });
}

/** The archive of each container, the request and the checkpoint having the same ones. */
function archivesFor({ checkpointPath, containerConfigs }: PodRestoreRequest): Map<string, string> {
  const refuse = (field: string, why: string): Error => failure('invalid-argument', { act: 'check', object: field, why });
  if (!isAbsolute(checkpointPath) || checkpointPath.includes('\0')) throw refuse('checkpoint_path', 'it is not the absolute path of a directory');
  if (containerConfigs.length === 0) throw refuse('container_configs', 'it is empty');
  const names = containerConfigs.map(({ metadata }) => metadata?.name ?? '');
  if (names.includes('')) throw refuse('container_configs', 'a container has no metadata.name');
  if (new Set(names).size < names.length) throw refuse('container_configs', 'two containers have one name');
  const archives = parsePodOptions(optionsOf(checkpointPath));
  const [missing, unknown] = [names.find((name) => !archives.has(name)), [...archives.keys()].find((name) => !names.includes(name))];
  if (missing !== undefined) throw refuse('container_configs', `the checkpoint has no container ${missing}`);
  if (unknown !== undefined) throw refuse('container_configs', `the checkpoint has a container ${unknown}, and the request does not describe it`);
  return new Map([...archives].map(([name, file]) => [name, join(checkpointPath, file)]));
}

function optionsOf(path: string): Buffer {
  const refuse = (why: string, cause?: unknown): Error => failure('failed-precondition', { act: 'read checkpoint', object: path, why, cause });
  let bytes: Buffer | undefined;
  try {
    bytes = readFileBeneath(path, podNames.options, maxDocumentBytes);
  } catch (cause) {
    throw refuse(hasCode(cause, 'ENOENT') ? 'there is no such directory' : messageOf(cause), cause);
  }
  if (bytes === undefined) throw refuse(`it has no ${podNames.options}: it is not whole, or no checkpoint of a pod`);
  return bytes;
}
