/** Exec and attach, whatever protocol carries the streams. */
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { SessionStreams } from '../../engine/stream-engine.ts';
import { statusBytes } from './command-status.ts';
import type { CommandEnd, StatusForm } from './command-status.ts';
import type { Session } from './session.ts';
import { terminalSizes } from './terminal-sizes.ts';
import type { AdmittedAttach, AdmittedExec } from './tickets.ts';

/** The streams that the client opened; the protocols name them alike. */
export interface CommandWire {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  readonly error: Writable;
  readonly resize: Readable | undefined;
  readonly statusForm: StatusForm;
}

/**
 * Runs the command, or joins the client to the container, and tells the client how it ended once it has all output. Never rejects: a failure is
 * the client's news, on the error stream.
 */
export async function runCommand(session: Session, admitted: AdmittedExec | AdmittedAttach, wire: CommandWire): Promise<CommandEnd> {
  const streams = sessionStreams(session, admitted, wire);
  const end = await (admitted.kind === 'exec' ? execEnd(session, admitted, streams) : attachEnd(session, admitted, streams));
  await Promise.all([wire.stdout, wire.stderr].map(ended));
  const status = statusBytes(end, wire.statusForm);
  if (status.length > 0) wire.error.write(status);
  await ended(wire.error);
  return end;
}

async function execEnd(session: Session, { containerId, command, tty }: AdmittedExec, streams: SessionStreams): Promise<CommandEnd> {
  try {
    return { exitCode: await session.engine.exec({ containerId, command, tty }, streams, session.ctx) };
  } catch (error) {
    return { error: ownReason(session, error) };
  }
}

async function attachEnd(session: Session, { containerId }: AdmittedAttach, streams: SessionStreams): Promise<CommandEnd> {
  try {
    await session.engine.attach(containerId, streams, session.ctx);
    return session.ctx.signal.aborted ? { error: session.ctx.signal.reason } : { exitCode: 0 };
  } catch (error) {
    return { error: ownReason(session, error) };
  }
}

/** Why a session was ended says more than what that made of the engine. */
function ownReason({ ctx: { signal } }: Session, error: unknown): unknown {
  return signal.aborted ? signal.reason : error;
}

/** What the engine gets: of a container only what it has. The rest of the client's streams is read away, or ended when all ends. */
function sessionStreams(session: Session, admitted: AdmittedExec | AdmittedAttach, wire: CommandWire): SessionStreams {
  const container = admitted.kind === 'attach' ? admitted.container : { tty: admitted.tty, stdin: true };
  if (!container.stdin) wire.stdin?.resume();
  if (!container.tty) wire.resize?.resume();
  return {
    stdin: container.stdin ? wire.stdin : undefined,
    stdout: wire.stdout,
    stderr: container.tty ? undefined : wire.stderr,
    resizes: terminalSizes(container.tty ? wire.resize : undefined, session.ctx.signal),
  };
}

/** Ends a stream if nobody has, and waits until its bytes are with the client or the client is gone. */
async function ended(stream: Writable | undefined): Promise<void> {
  if (stream === undefined || stream.destroyed) return;
  if (!stream.writableEnded) stream.end();
  await finished(stream, { readable: false }).catch(() => {});
}
