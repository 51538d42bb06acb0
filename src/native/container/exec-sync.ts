import { failure } from '../../base/errors.ts';
import type { CallContext, ExecResult } from '../../engine/engine.ts';
import { execOutputLimit, execSync } from '../../part/oci/exec-sync.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerRecord } from './container-record.ts';
import { readSpec } from './read-spec.ts';
import { stateWord } from './container-state.ts';

/** Runs a command in a running container as its own first process runs: same user, capabilities, environment and limits. */
export async function execSyncInContainer(deps: ContainerDeps, record: ContainerRecord, request: { command: readonly string[]; timeoutSeconds: number }, ctx: CallContext): Promise<ExecResult> {
  const state = stateWord(record);
  if (state !== 'running') throw failure('failed-precondition', { act: 'exec in container', object: record.id, why: `it is ${state}, not running` });
  const [program] = request.command;
  if (program === undefined || program === '') throw failure('invalid-argument', { act: 'exec in container', object: record.id, why: 'the command is empty' });
  const { bundle } = containerPaths(deps.roots, record.id);
  const spec = await readSpec(deps, record);
  if (spec === undefined) throw failure('internal', { act: 'exec in container', object: record.id, why: `its bundle ${bundle} is gone` });
  return await ctx.stages.run('exec', () => execSync({
    runtime: deps.handlers.get(record.handler),
    id: record.id,
    process: { ...spec.process, args: request.command, terminal: false },
    timeoutMs: Math.max(0, request.timeoutSeconds) * 1000,
    maxBytes: execOutputLimit,
    directory: bundle,
    containerPids: () => deps.cgroups.pids(record.cgroup),
    signal: ctx.signal,
  }));
}
