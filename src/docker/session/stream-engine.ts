import { setTimeout as sleep } from 'node:timers/promises';
import { failure, isKind, messageOf } from '../../base/errors.ts';
import { getByIdPrefix } from '../../base/object-id.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { ExecSession, SessionStreams, StreamEngine, TerminalSize } from '../../engine/stream-engine.ts';
import { ContainerState } from '../../gen/cri.ts';
import { endOutput, feedInput } from '../../part/oci/output-copy.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { checkPortForward, forwardPort } from '../pod/port-forward.ts';
import { stateWord } from '../records.ts';
import type { ContainerRecord, PodRecord } from '../records.ts';
import { beginExec, checkExec, complaint, endExec, exitCodeOf } from './engine-exec.ts';
import { clientSink, readOutput } from './join-streams.ts';
import type { Sink } from './join-streams.ts';

/** The engine contract for sessions, over connections that the Engine gives away. */
export function createStreamEngine(deps: DockerDeps): StreamEngine {
  const container = (id: string): ContainerRecord => getByIdPrefix(deps.mirror.containers, id, 'container');
  const pod = (id: string): PodRecord => getByIdPrefix(deps.mirror.pods, id, 'pod');
  return {
    admitExec: async ({ containerId, command }) => {
      const record = container(containerId);
      checkExec(record, command);
      return record.id;
    },
    exec: async (session, streams, ctx) => exec(deps, container(session.containerId), { session, streams }, ctx),
    admitAttach: async (id) => {
      const record = container(id);
      checkAttach(record);
      return { id: record.id, tty: record.config.tty, stdin: record.config.stdin };
    },
    attach: async (id, streams, ctx) => attach(deps, container(id), streams, ctx),
    admitPortForward: async (id) => {
      const record = pod(id);
      checkPortForward(record);
      return record.id;
    },
    portForward: async (id, port, ctx) => forwardPort(deps, pod(id), port, ctx),
  };
}

async function exec(deps: DockerDeps, record: ContainerRecord, { session: { command, tty }, streams }: { session: ExecSession; streams: SessionStreams }, ctx: CallContext): Promise<number> {
  const running = await beginExec(deps, record, { command, tty, stdin: streams.stdin !== undefined });
  const held = new HeldComplaint(clientSink(streams));
  if (streams.stdin !== undefined) feedInput(streams.stdin, running.connection);
  void follow(streams.resizes, (size) => resize(deps, `/exec/${running.id}`, size));
  try {
    await untilGone(readOutput(running.connection, { tty, sink: held.sink }), ctx.signal, record);
    const code = await exitCodeOf(deps, running, held.text);
    await held.release();
    await Promise.all([endOutput(streams.stdout), endOutput(streams.stderr)]);
    return code;
  } catch (error) {
    if (!isKind(error, 'cancelled')) throw error;
    throw failure('cancelled', { act: 'exec in container', object: record.id, why: `the client went away from ${JSON.stringify(command[0] ?? '')}; ${await endExec(deps, running)}` });
  } finally {
    running.connection.destroy();
  }
}

async function attach(deps: DockerDeps, record: ContainerRecord, streams: SessionStreams, ctx: CallContext): Promise<void> {
  checkAttach(record);
  const { tty, stdin } = record.config;
  const wantsInput = stdin && streams.stdin !== undefined;
  const connection = await deps.api.upgrade({
    act: { act: 'attach to container', object: record.id }, method: 'POST', path: `/containers/${record.id}/attach`,
    query: { stream: true, stdin: wantsInput, stdout: streams.stdout !== undefined, stderr: streams.stderr !== undefined },
  });
  if (wantsInput) feedInput(streams.stdin!, connection);
  void follow(streams.resizes, (size) => resize(deps, `/containers/${record.id}`, size));
  try {
    await untilGone(readOutput(connection, { tty, sink: clientSink(streams) }), ctx.signal, record);
    await Promise.all([endOutput(streams.stdout), endOutput(streams.stderr)]);
  } catch (error) {
    if (!isKind(error, 'cancelled')) throw error;
  } finally {
    connection.destroy();
  }
}

function checkAttach(record: ContainerRecord): void {
  if (record.state !== ContainerState.CONTAINER_RUNNING) throw failure('failed-precondition', { act: 'attach to container', object: record.id, why: `it is ${stateWord(record)}, not running` });
}

/** Waits for the work, or rejects as cancelled when the client goes; a connection that breaks is unavailable. */
async function untilGone(work: Promise<void>, signal: AbortSignal, { id }: ContainerRecord): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const gone = (): void => reject(failure('cancelled', { act: 'stream to container', object: id, why: 'the client went away' }));
  signal.addEventListener('abort', gone, { once: true });
  if (signal.aborted) gone();
  try {
    await Promise.race([work, promise]);
  } catch (error) {
    throw isKind(error, 'cancelled') ? error : failure('unavailable', { act: 'stream to container', object: id, why: `the Docker Engine broke the connection: ${messageOf(error)}`, cause: error });
  } finally {
    signal.removeEventListener('abort', gone);
    work.catch(() => {});
  }
}

async function follow(sizes: AsyncIterable<TerminalSize>, apply: (size: TerminalSize) => Promise<void>): Promise<void> {
  for await (const size of sizes) await apply(size);
}

const resizeTries = 40;

/** The Engine refuses a size for a command that it has not quite started. */
async function resize(deps: DockerDeps, path: string, { columns, rows }: TerminalSize): Promise<void> {
  for (let tries = 1; tries <= resizeTries; tries++) {
    try {
      return await deps.api.call({ act: { act: 'resize terminal' }, method: 'POST', path: `${path}/resize`, query: { w: columns, h: rows } });
    } catch (error) {
      if (isKind(error, 'unavailable')) return;
      if (tries === resizeTries) deps.log.debug('a terminal could not be resized', { path, error: messageOf(error) });
    }
    await sleep(50);
  }
}

/** Keeps back output that looks like the Engine's complaint about a command that it could not start, until it is known whether it is one. */
class HeldComplaint {
  readonly #sink: Sink;
  #held: Buffer[] | undefined;
  #passed = false;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  get text(): string {
    return Buffer.concat(this.#held ?? []).toString('utf8');
  }

  readonly sink: Sink = async (piece) => {
    if (!this.#passed && piece.stream === 'stdout' && (this.#held !== undefined || piece.bytes.toString('latin1').startsWith(complaint))) {
      (this.#held ??= []).push(piece.bytes);
      return;
    }
    this.#passed = true;
    await this.#sink(piece);
  };

  /** It was a command's own output after all. */
  async release(): Promise<void> {
    for (const bytes of this.#held ?? []) await this.#sink({ stream: 'stdout', bytes, last: true });
  }
}
