import { failure, isKind } from '../../base/errors.ts';
import type { CallContext, ExecResult } from '../../engine/engine.ts';
import { execOutputLimit, execSync } from '../../part/oci/exec-sync.ts';
import { checkArgument, checkProgram } from '../../part/spec/check-field.ts';
import type { OciProcess } from '../../part/spec/oci-spec.ts';
import { checkProcessSize } from '../../part/spec/check-process-size.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerRecord } from './container-record.ts';
import { readSpec } from './read-spec.ts';
import { stateWord } from './container-state.ts';

/** How long the end of a container may take to be on record on a busy node, from when a runtime finds its namespaces gone. */
const endingMs = 2000;

export interface ExecRequest {
  readonly command: readonly string[];
  /** 0 is no limit. */
  readonly timeoutSeconds: number;
}

/** Runs a command in a running container as its own first process runs: same user, capabilities, environment and limits. */
export async function execSyncInContainer(deps: ContainerDeps, record: ContainerRecord, request: ExecRequest, ctx: CallContext): Promise<ExecResult> {
  checkExec(record, request.command);
  deps.cgroups.announceMove();
  try {
    return await exec(deps, record, request, ctx);
  } catch (error) {
    throw await whyExecFailed(deps, record, error);
  }
}

/** Throws what an exec is refused for at once: no command (invalid-argument), a container that does not run (failed-precondition). */
export function checkExec(record: ContainerRecord, command: readonly string[]): void {
  checkCommand(command);
  const state = stateWord(record);
  if (state !== 'running') throw failure('failed-precondition', { act: 'exec in container', object: record.id, why: `it is ${state}, not running` });
}

function checkCommand(command: readonly string[]): void {
  checkProgram('cmd[0]', command[0] ?? '');
  for (const [index, word] of command.entries()) checkArgument(`cmd[${index}]`, word);
}

async function exec(deps: ContainerDeps, record: ContainerRecord, { command, timeoutSeconds }: ExecRequest, ctx: CallContext): Promise<ExecResult> {
  const process = execProcess(deps, record, { command, tty: false });
  return await ctx.stages.run('exec', () => execSync({
    runtime: deps.handlers.of(record.handler),
    id: record.id,
    process: { ...process },
    timeoutMs: Math.max(0, timeoutSeconds) * 1000,
    maxBytes: execOutputLimit,
    directory: containerPaths(deps.roots, record.id).bundle,
    containerPids: () => deps.cgroups.pids(record.cgroup),
    signal: ctx.signal,
  }));
}

/** `process` of the OCI runtime spec for a command that runs as the container's own first process does. */
export function execProcess(deps: Pick<ContainerDeps, 'roots' | 'hostFacts'>, record: ContainerRecord, { command, tty }: { readonly command: readonly string[]; readonly tty: boolean }): OciProcess {
  const { bundle } = containerPaths(deps.roots, record.id);
  const spec = readSpec(deps, record);
  if (spec === undefined) throw failure('internal', { act: 'exec in container', object: record.id, why: `its bundle ${bundle} is gone` });
  const { env } = spec.process;
  const process = { ...spec.process, args: command, terminal: tty, env: tty && !env.some((variable) => variable.startsWith('TERM=')) ? [...env, 'TERM=xterm'] : env };
  checkProcessSize(process, { args: 'cmd', env: "cmd (the container's environment)" }, deps.hostFacts);
  return process;
}

/**
 * A runtime that loses the container under its hands says so in many ways; what it comes to is that there is nothing to run in. The
 * end may be known a moment later only.
 */
export async function whyExecFailed(deps: ContainerDeps, record: ContainerRecord, error: unknown): Promise<unknown> {
  if (!isKind(error, 'internal') && !isKind(error, 'resource-exhausted')) return error;
  if (isRunning(deps, record)) await deps.exits.wait(record.id, endingMs);
  if (isRunning(deps, record)) return error;
  return failure('failed-precondition', { act: 'exec in container', object: record.id, why: 'it ended before the command did', cause: error });
}

function isRunning(deps: ContainerDeps, { id }: ContainerRecord): boolean {
  const now = deps.records.get(id);
  return now !== undefined && stateWord(now) === 'running';
}
