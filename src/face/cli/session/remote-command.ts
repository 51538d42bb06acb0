/** A client of exec and attach sessions (remotecommand v4 over SPDY), as the CRI's URLs lead to them. */
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { failure } from '../../../base/errors.ts';
import { connectSpdy } from '../../spdy/connect-spdy.ts';
import type { SpdyConnection, SpdyStream } from '../../spdy/spdy-connection.ts';
import { DetachKeys } from './detach-keys.ts';
import type { LocalTerminal, TerminalSize } from './local-terminal.ts';
import { textOf } from './text-of.ts';

export interface RemoteCommand {
  readonly url: string;
  /** For messages: `exec in container`, `web/client`. */
  readonly act: string;
  readonly object: string;
  readonly stdin: Readable | undefined;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** The command has a terminal. */
  readonly tty: boolean;
  /** Ours: it is made raw while the command reads from it, and its sizes are passed on. */
  readonly terminal: LocalTerminal | undefined;
  /** None: there is no leaving. */
  readonly detachKeys: Buffer;
  /** Leaves the session: cancelled. */
  readonly signal: AbortSignal;
}

/** The command's exit code, of an attached container 0; `detached` when the person typed the keys for it. */
export type RemoteEnd = number | 'detached';

/**
 * Joins this end to the command until it has ended and all its output is written. Our terminal is put back however it goes. A command that could not be
 * run: failed-precondition with the runtime's words; a connection that breaks before the end is known: unavailable.
 */
export async function remoteCommand(command: RemoteCommand): Promise<RemoteEnd> {
  const { act, object, signal } = command;
  const connection = await connectSpdy({ ...command, protocol: 'v4.channel.k8s.io' });
  const { promise: detached, resolve: detach } = Promise.withResolvers<'detached'>();
  const undo: (() => void)[] = [() => connection.destroy()];
  try {
    const { error, stdin, stdout, stderr, resize } = await openStreams(connection, command);
    if (resize !== undefined && command.terminal !== undefined) undo.push(passSizes(command.terminal, resize));
    if (stdin !== undefined) {
      if (command.tty && command.terminal !== undefined) undo.push(command.terminal.makeRaw());
      undo.push(passInput(command, stdin, () => detach('detached')));
    }
    const outputs = Promise.all([pipeline(stdout, command.stdout, { end: false }), stderr && pipeline(stderr, command.stderr, { end: false })]);
    outputs.catch(() => {}); // the race may be over
    const end = await Promise.race([detached, Promise.all([textOf(error), outputs])]);
    return end === 'detached' ? end : exitCodeOf(end[0], command);
  } catch (error) {
    throw signal.aborted ? failure('cancelled', { act, object, cause: error }) : error;
  } finally {
    for (const one of undo.reverse()) one();
  }
}

interface CommandStreams {
  readonly error: SpdyStream;
  readonly stdout: SpdyStream;
  readonly stdin?: SpdyStream;
  readonly stderr?: SpdyStream;
  readonly resize?: SpdyStream;
}

async function openStreams(connection: SpdyConnection, { stdin, tty }: RemoteCommand): Promise<CommandStreams> {
  const types = ['error', ...(stdin === undefined ? [] : ['stdin']), 'stdout', tty ? 'resize' : 'stderr'];
  const streams = await Promise.all(types.map(async (type) => [type, await connection.open(new Map([['streamtype', type]]))] as const));
  return Object.fromEntries(streams) as unknown as CommandStreams;
}

function passSizes(terminal: LocalTerminal, resize: SpdyStream): () => void {
  const pass = ({ columns, rows }: TerminalSize): void => void resize.write(`{"Width":${columns},"Height":${rows}}\n`);
  const now = terminal.size();
  if (now !== undefined) pass(now);
  return terminal.onResize(pass);
}

/** The end of the input is the end of the command's. Returns what leaves the rest of it unread. */
function passInput({ stdin, tty, detachKeys }: RemoteCommand, remote: SpdyStream, detach: () => void): () => void {
  const typed = tty && detachKeys.length > 0 ? stdin!.pipe(new DetachKeys(detachKeys, detach)) : stdin!;
  typed.pipe(remote);
  remote.resume().once('close', () => stdin!.unpipe().pause()); // it takes no more: the command need not have read everything
  return () => void stdin!.unpipe().pause();
}

interface Status {
  readonly status?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

/** What remotecommand v4 says on the error stream: a metav1.Status. */
function exitCodeOf(text: string, { act, object }: RemoteCommand): number {
  if (text === '') throw failure('unavailable', { act, object, why: 'the runtime ended the connection without saying how the command ended' });
  const status = parsedStatus(text);
  if (status?.status === 'Success') return 0;
  const code = status?.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  if (code !== undefined && /^\d{1,3}$/.test(code)) return Number(code);
  throw failure('failed-precondition', { act, object, why: status?.message ?? text });
}

function parsedStatus(text: string): Status | undefined {
  try {
    return JSON.parse(text) as Status;
  } catch {
    return undefined;
  }
}
