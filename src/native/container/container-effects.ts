/** The undo of every lasting effect of a container, by kind. Each may be repeated and takes a half-made effect for what it is. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, hasCode } from '../../base/errors.ts';
import { removeTree } from '../../host/files.ts';
import { removeLargeTree } from '../../host/remove-large-tree.ts';
import { checkUnmounted, removeUnmountedTree } from '../../host/mounts-below.ts';
import type { Cgroups } from '../../part/cgroup/cgroups.ts';
import { conmonOf } from '../../part/oci/conmon.ts';
import { processAlive } from '../../part/oci/process-ref.ts';
import type { RuntimeHandlers } from '../../part/oci/runtime-handlers.ts';
import { releaseRoot, releaseView, removeWritableLayer } from '../../part/snapshot/snapshotter.ts';
import type { Undo, UndoOrder } from '../../part/store/effects.ts';

export interface RuntimeEffect {
  readonly handler: string;
  readonly cgroup: string;
  readonly bundle: string;
}

/** A container that stands still while it is captured. */
export interface PausedEffect {
  readonly container: string;
  readonly handler: string;
}

export interface RuntimeEffectDeps {
  readonly handlers: RuntimeHandlers;
  /** Holds the state folder of each handler, by name. */
  readonly runtimeStates: string;
  readonly cgroups: Cgroups;
  readonly exitWatch: { forget(id: string): void };
}

/** Nothing is taken from under a process. Root and volumes are mounted apart from each other, and where they are copies they lie in the writable layer. */
export const containerUndoOrder: UndoOrder = {
  'image-volume': ['runtime'],
  'rootfs': ['runtime'],
  'checkpoint-images': ['runtime'],
  'checkpoint-archive': [],
  'paused': [],
  'writable-layer': ['runtime', 'rootfs', 'image-volume'],
};

export function containerUndos(deps: RuntimeEffectDeps): Readonly<Record<string, Undo>> {
  return {
    'bundle': ({ path }: { path: string }) => removeUnmountedTree(path),
    'writable-layer': async ({ path }: { path: string }) => {
      await checkUnmounted(path);
      await removeWritableLayer(path);
    },
    'rootfs': ({ path }: { path: string }) => releaseRoot(path),
    'image-volume': ({ path }: { path: string }) => releaseView(path),
    'checkpoint-images': ({ path }: { path: string }) => removeLargeTree(path),
    'checkpoint-archive': ({ path }: { path: string }) => rm(path, { force: true }),
    'paused': async ({ container, handler }: PausedEffect) => await deps.handlers.find(handler)?.resume(container),
    'runtime': (effect: RuntimeEffect, id: string) => removeFromRuntime(deps, id, effect),
  };
}

/**
 * Ends what a runtime holds of a container. conmon goes first, so that a create that nobody waits for any more does not go on behind
 * our back; then the runtime's record, the processes (with a shared PID namespace some outlive the first one) and the cgroup. A
 * runtime that cannot delete fails this only in the end: its container does not live on for that. What a handler knew that nobody knows any more is taken
 * away by us, after the processes.
 */
export async function removeFromRuntime(deps: RuntimeEffectDeps, id: string, { handler, cgroup, bundle }: RuntimeEffect): Promise<void> {
  await endMonitor(bundle);
  const runtime = deps.handlers.find(handler);
  const [deleted] = await Promise.allSettled([runtime?.delete(id, { force: true })]);
  await deps.cgroups.kill(cgroup);
  await deps.cgroups.remove(cgroup);
  if (runtime === undefined) await removeTree(join(deps.runtimeStates, handler, id));
  deps.exitWatch.forget(id);
  if (deleted.status === 'rejected') throw deleted.reason;
}

const monitorDeadlineMs = 2000;

/** By the time of a container's end its conmon has written log and exit file, and is about to go by itself. */
async function endMonitor(bundle: string): Promise<void> {
  const conmon = conmonOf(bundle);
  const deadline = performance.now() + monitorDeadlineMs;
  while (conmon !== undefined && processAlive(conmon)) {
    if (performance.now() > deadline) throw failure('deadline-exceeded', { act: 'end conmon', object: String(conmon.pid), why: `it is still there ${monitorDeadlineMs / 1000} s after SIGKILL` });
    signalKill(conmon.pid);
    await sleep(2);
  }
}

function signalKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}
