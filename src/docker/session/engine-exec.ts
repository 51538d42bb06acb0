/** A command in a running container, by the Engine's exec: made, started on a connection of its own, watched to its end, killed when need be. */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, isKind, messageOf } from '../../base/errors.ts';
import { ContainerState } from '../../gen/cri.ts';
import { fateOf } from '../../part/oci/end-exec.ts';
import { killExecTree } from '../../part/oci/kill-exec-tree.ts';
import { checkArgument, checkProgram } from '../../part/spec/check-field.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { cgroupOf, stateWord } from '../records.ts';
import type { ContainerRecord } from '../records.ts';

export interface EngineExec {
  readonly id: string;
  readonly container: ContainerRecord;
  readonly command: readonly string[];
  /** In the environment of the command and of all that it starts. */
  readonly marker: string;
  readonly connection: Duplex;
}

interface ExecInspect {
  readonly Running: boolean;
  readonly ExitCode: number | null;
  /** On the node; 0 when it never ran. */
  readonly Pid: number;
}

/** How long the Engine may take to record the end of a command whose output has ended. */
const endingMs = 10_000;

/** What an exec is refused for at once: no command (invalid-argument), a container that does not run (failed-precondition). */
export function checkExec(record: ContainerRecord, command: readonly string[]): void {
  checkProgram('cmd[0]', command[0] ?? '');
  for (const [index, word] of command.entries()) checkArgument(`cmd[${index}]`, word);
  if (record.state !== ContainerState.CONTAINER_RUNNING) throw failure('failed-precondition', { act: 'exec in container', object: record.id, why: `it is ${stateWord(record)}, not running` });
}

export async function beginExec(deps: DockerDeps, container: ContainerRecord, { command, tty, stdin }: { readonly command: readonly string[]; readonly tty: boolean; readonly stdin: boolean }): Promise<EngineExec> {
  checkExec(container, command);
  const act = { act: 'exec in container', object: container.id };
  const marker = `GANTRY_EXEC=${randomBytes(12).toString('hex')}`;
  const { Id: id } = await deps.api.call<{ Id: string }>({
    act, method: 'POST', path: `/containers/${container.id}/exec`,
    json: { AttachStdin: stdin, AttachStdout: true, AttachStderr: true, Tty: tty, Cmd: command, Env: [marker] },
  });
  const connection = await deps.api.upgrade({ act, method: 'POST', path: `/exec/${id}/start`, json: { Detach: false, Tty: tty } });
  return { id, container, command, marker, connection };
}

/** The exit code, once the output has ended. A command that never ran: failed-precondition with what the Engine wrote in place of its output. */
export async function exitCodeOf(deps: DockerDeps, { id, container }: EngineExec, written: string): Promise<number> {
  const act = { act: 'exec in container', object: container.id };
  for (const until = performance.now() + endingMs; ; await sleep(10)) {
    const now = await inspectExec(deps, id, act);
    if (!now.Running) {
      if (now.Pid === 0) throw failure('failed-precondition', { ...act, why: reasonOf(written) });
      return now.ExitCode ?? 0;
    }
    if (performance.now() > until) throw failure('deadline-exceeded', { ...act, why: 'its output ended, and the Docker Engine does not say how the command did' });
  }
}

async function inspectExec(deps: DockerDeps, id: string, act: { act: string; object: string }): Promise<ExecInspect> {
  try {
    return await deps.api.call<ExecInspect>({ act, path: `/exec/${id}/json` });
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
    throw failure('failed-precondition', { ...act, why: 'it ended before the command did', cause: error });
  }
}

/** The Engine's complaint is the only output of a command that it could not start. */
export const complaint = 'OCI runtime exec failed: ';

function reasonOf(written: string): string {
  const words = written.replace(complaint, '').replace(/: unknown\s*$/, '').trim();
  return words === '' ? 'the Docker Engine could not start the command' : words;
}

/** Kills the command and all that it started, also what left its session; says what became of them, for messages. */
export async function endExec(deps: DockerDeps, exec: EngineExec): Promise<string> {
  const { id, container, marker, connection } = exec;
  try {
    const { Pid } = await inspectExec(deps, id, { act: 'end command in container', object: container.id });
    const cgroups = await deps.cgroups();
    const cgroup = cgroupOf(container, await deps.cgroupDriver());
    const left = await killExecTree({ container: container.id, pid: Pid === 0 ? undefined : Pid, marker, containerPids: () => cgroups.pids(cgroup) });
    return fateOf(left);
  } catch (error) {
    return `it may still run (${messageOf(error)})`;
  } finally {
    connection.destroy();
  }
}
