import type { CallContext } from '../../engine/engine.ts';
import type { ExecSession, SessionStreams } from '../../engine/stream-engine.ts';
import { execSession } from '../../part/oci/exec-session.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerRecord } from './container-record.ts';
import { checkExec, execProcess, whyExecFailed } from './exec-sync.ts';

/** Runs a command for a client who is there meanwhile, as ExecSync runs one: same user, capabilities, environment and limits. */
export async function execInContainer(deps: ContainerDeps, record: ContainerRecord, { session: { command, tty }, streams }: { readonly session: ExecSession; readonly streams: SessionStreams }, ctx: CallContext): Promise<number> {
  checkExec(record, command);
  deps.cgroups.announceMove();
  const process = execProcess(deps, record, { command, tty });
  try {
    return await execSession({
      runtime: deps.handlers.of(record.handler),
      id: record.id,
      process: { ...process },
      terminal: tty,
      streams,
      directory: containerPaths(deps.roots, record.id).bundle,
      containerPids: () => deps.cgroups.pids(record.cgroup),
      signal: ctx.signal,
    });
  } catch (error) {
    throw await whyExecFailed(deps, record, error);
  }
}
