import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { checkPrograms, createWithConmon } from '../../part/oci/conmon.ts';
import type { ProcessRef } from '../../part/oci/process-ref.ts';
import { encodeSpec } from '../../part/spec/encode-spec.ts';
import type { BuiltSpec } from './build-spec.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerInTheMaking } from './create-container.ts';
import { checkInRdtClass } from './resource-classes.ts';

export interface CreatedProcesses {
  readonly container: ProcessRef;
  readonly conmon: ProcessRef;
  readonly conmonExited: Promise<void>;
}

/** Writes config.json and has conmon run `create`: afterwards the container's process exists and waits for its start. */
export async function createInRuntime(deps: ContainerDeps, { id, pod, config }: ContainerInTheMaking, made: { built: BuiltSpec; logPath: string; signal: AbortSignal }): Promise<CreatedProcesses> {
  const { bundle } = containerPaths(deps.roots, id);
  writeFileSync(join(bundle, 'config.json'), encodeSpec(made.built.spec), { mode: 0o600 });
  if (made.logPath !== '') await deps.paths.makeDirectory(dirname(made.logPath));
  const runtime = deps.handlers.of(pod.handler);
  await checkPrograms({ conmon: deps.conmonPath, runtime, id });
  const rdtClass = made.built.spec.linux.intelRdt?.closID;
  const processes = await deps.effects.make({ owner: id, kind: 'runtime', data: { handler: pod.handler, cgroup: made.built.cgroupsPath, bundle } }, () =>
    createWithConmon({
      conmon: deps.conmonPath,
      runtime,
      id,
      name: config.metadata?.name ?? id,
      bundle,
      exitDir: deps.exitDir,
      logPath: made.logPath,
      stdin: config.stdin,
      stdinOnce: config.stdinOnce,
      terminal: config.tty,
      cgroups: [],
      deadlineMs: runtime.createTimeoutMs,
      signal: made.signal,
    }, deps.log));
  if (rdtClass !== undefined) checkInRdtClass(rdtClass, processes.container.pid);
  return processes;
}
