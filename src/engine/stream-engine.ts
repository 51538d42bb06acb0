/**
 * Sessions whose bytes pass through the daemon while somebody watches: exec, attach, port-forward. A face turns a client's connection
 * into plain Node streams; an engine joins them to a process or a socket. Back-pressure goes from end to end: an engine reads
 * no more than the client takes, and takes no more than the program reads.
 */
import type { Duplex, Readable, Writable } from 'node:stream';
import type { CallContext } from './engine.ts';

/** In characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** The client's ends of a session. */
export interface SessionStreams {
  /** What the client sends; its end is the end of the program's input. Undefined: the program has none. */
  readonly stdin: Readable | undefined;
  /** Ended by the engine after the last byte of output. Undefined: nobody wants it. */
  readonly stdout: Writable | undefined;
  /** As stdout; always undefined with a terminal, which has one output. */
  readonly stderr: Writable | undefined;
  /** The sizes of the client's terminal as they change, the first at once if it is known; ends with the session. */
  readonly resizes: AsyncIterable<TerminalSize>;
}

export interface ExecSession {
  readonly containerId: string;
  readonly command: readonly string[];
  readonly tty: boolean;
}

export interface StreamEngine {
  /** Refuses what `exec` would refuse at once (unknown, not running, no command), and returns the container's full id. */
  admitExec(session: ExecSession): Promise<string>;
  /**
   * Runs a command in a running container until it ends, and returns its exit code (128 + n when signal n ended it) once all its output
   * is written. Aborted `ctx.signal`, the client went away: the command and its descendants are ended, cancelled.
   * A command that can't be started: failed-precondition with the OCI runtime's reason.
   */
  exec(session: ExecSession, streams: SessionStreams, ctx: CallContext): Promise<number>;
  /** The container's full id, and what it was made with; unknown is not-found, not running failed-precondition. */
  admitAttach(containerId: string): Promise<{ readonly id: string; readonly tty: boolean; readonly stdin: boolean }>;
  /**
   * Joins the client to a running container's own streams until the container ends or `ctx.signal` is aborted; several clients may
   * be joined at once. Output from now on only. With `stdin_once` the end of the first client's input is the container's.
   */
  attach(containerId: string, streams: SessionStreams, ctx: CallContext): Promise<void>;
  /** The pod's full id; unknown is not-found, not READY failed-precondition. */
  admitPortForward(podId: string): Promise<string>;
  /** A connection to a TCP port of the pod's own loopback (IPv4, else IPv6). Nobody listens: unavailable, naming pod and port. */
  portForward(podId: string, port: number, ctx: CallContext): Promise<Duplex>;
}
