import { failure, isKind } from '../../base/errors.ts';
import type { CallContext, ExecResult } from '../../engine/engine.ts';
import { execOutputLimit } from '../../part/oci/exec-sync.ts';
import type { DockerDeps } from '../docker-deps.ts';
import type { ContainerRecord } from '../records.ts';
import { beginExec, endExec, exitCodeOf } from '../session/engine-exec.ts';
import type { EngineExec } from '../session/engine-exec.ts';
import { readOutput } from '../session/join-streams.ts';

export interface ExecRequest {
  readonly command: readonly string[];
  /** 0 is no limit. */
  readonly timeoutSeconds: number;
}

/** Runs a command to its end, as ContainerEngine.execSync says. */
export async function execSyncInContainer(deps: DockerDeps, record: ContainerRecord, { command, timeoutSeconds }: ExecRequest, ctx: CallContext): Promise<ExecResult> {
  const exec = await beginExec(deps, record, { command, tty: false, stdin: false });
  const [stdout, stderr] = [new Kept(), new Kept()];
  const over = new AbortController();
  try {
    await ctx.stages.run('exec', () => Promise.race([
      readOutput(exec.connection, { tty: false, sink: async ({ stream, bytes }) => (stream === 'stdout' ? stdout : stderr).add(bytes) }),
      interruption({ record, timeoutSeconds, signal: ctx.signal, over: over.signal }),
    ]));
    return { stdout: stdout.bytes(), stderr: stderr.bytes(), exitCode: await exitCodeOf(deps, exec, stdout.bytes().toString('utf8')) };
  } catch (error) {
    throw await ended(deps, exec, error);
  } finally {
    over.abort();
    exec.connection.destroy();
  }
}

async function ended(deps: DockerDeps, exec: EngineExec, error: unknown): Promise<unknown> {
  if (!isKind(error, 'deadline-exceeded') && !isKind(error, 'cancelled')) return error;
  const fate = await endExec(deps, exec);
  return failure(error.kind, { act: error.act, object: exec.container.id, why: `${error.why}; ${fate}` });
}

/** Rejects when the time is up or the caller goes away; never, once `over` is aborted. */
function interruption({ record, timeoutSeconds, signal, over }: { record: ContainerRecord; timeoutSeconds: number; signal: AbortSignal; over: AbortSignal }): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const act = { act: 'exec in container', object: record.id };
  const timer = timeoutSeconds <= 0 ? undefined : setTimeout(() => reject(failure('deadline-exceeded', { ...act, why: `the command did not end within ${timeoutSeconds} s` })), Math.min(timeoutSeconds * 1000, 2 ** 31 - 1));
  const gone = (): void => reject(failure('cancelled', { ...act, why: 'the caller went away' }));
  signal.addEventListener('abort', gone, { once: true, signal: over });
  over.addEventListener('abort', () => clearTimeout(timer), { once: true });
  if (signal.aborted) gone();
  return promise;
}

/** The beginning of an output, as much as an answer may hold. */
class Kept {
  readonly #pieces: Buffer[] = [];
  #size = 0;

  add(bytes: Buffer): void {
    const piece = bytes.subarray(0, execOutputLimit - this.#size);
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#size += piece.length;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
