/** The undo of every lasting effect of a container, by kind. Each may be repeated and takes a half-made effect for what it is. */
import { removeTree } from '../../host/files.ts';
import type { CgroupLayout } from '../../part/cgroup/cgroup-layout.ts';
import { killCgroup, removeCgroup } from '../../part/cgroup/cgroup-tree.ts';
import { conmonOf } from '../../part/oci/conmon.ts';
import { processAlive } from '../../part/oci/process-ref.ts';
import type { RuntimeHandlers } from '../../part/oci/runtime-handlers.ts';
import { removeWritableLayer, unmountOverlay } from '../../part/snapshot/overlay.ts';
import type { Undo } from '../../part/store/effects.ts';

export interface RuntimeEffect {
  readonly handler: string;
  readonly cgroup: string;
  readonly bundle: string;
}

export function containerUndos(deps: { handlers: RuntimeHandlers; cgroups: { readonly layout: CgroupLayout }; exitWatch: { forget(id: string): void } }): Readonly<Record<string, Undo>> {
  return {
    'bundle': ({ path }: { path: string }) => removeTree(path),
    'writable-layer': ({ path }: { path: string }) => removeWritableLayer(path),
    'rootfs': ({ path }: { path: string }) => unmountOverlay(path),
    'runtime': (effect: RuntimeEffect, id: string) => removeFromRuntime(deps, id, effect),
  };
}

/**
 * Ends what a runtime holds of a container: its record, its processes (with a shared PID namespace some outlive the first one),
 * its cgroup, and the conmon of a create that never finished.
 */
export async function removeFromRuntime(deps: { handlers: RuntimeHandlers; cgroups: { readonly layout: CgroupLayout }; exitWatch: { forget(id: string): void } }, id: string, { handler, cgroup, bundle }: RuntimeEffect): Promise<void> {
  await deps.handlers.get(handler).delete(id, { force: true });
  await killCgroup(deps.cgroups.layout, cgroup);
  await removeCgroup(deps.cgroups.layout, cgroup);
  endMonitor(bundle);
  deps.exitWatch.forget(id);
}

/** conmon ends by itself when its container has; one that waits for a create that will never come is told to. */
function endMonitor(bundle: string): void {
  const conmon = conmonOf(bundle);
  if (conmon !== undefined && processAlive(conmon)) process.kill(conmon.pid, 'SIGKILL');
}
