/** What a command may touch of the outside: its streams, its environment, and the wish of the person to stop. */
import type { Readable, Writable } from 'node:stream';
import { localTerminal, type LocalTerminal } from './session/local-terminal.ts';

export interface CliIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly stdin: Readable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether stdout (stderr) is a terminal: colours and spinners appear nowhere else. */
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  /** What stdin is, when it is a terminal. */
  readonly terminal?: LocalTerminal | undefined;
  /** Aborted by the first interrupt: calls are cancelled, `play` undoes what it made. */
  readonly signal: AbortSignal;
  /** The version of this program, for `gantry version`. */
  readonly version: string;
}

/**
 * The io of this process. The first SIGINT or SIGTERM aborts `signal`, a second one ends the process at once. A reader
 * that went away (`gantry ps | head -1`) ends it silently.
 */
export function processIo(version: string): CliIo {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (interrupt.signal.aborted) process.exit(130);
      interrupt.abort();
    });
  }
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    stdoutIsTerminal: process.stdout.isTTY === true,
    stderrIsTerminal: process.stderr.isTTY === true,
    terminal: localTerminal(process.stdin, [process.stdout, process.stderr]),
    signal: interrupt.signal,
    version,
  };
}

/** Writes and waits until the stream wants more, so that a long output does not pile up in memory. */
export async function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  if (stream.write(data)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}

/** One line to stdout. */
export function say(io: CliIo, line: string): Promise<void> {
  return write(io.stdout, `${line}\n`);
}

/** Colours are for terminals, and for people who did not refuse them (https://no-color.org). */
export function wantsColour(io: CliIo): boolean {
  return io.stdoutIsTerminal && !io.env['NO_COLOR'] && io.env['TERM'] !== 'dumb';
}

/**
 * Text from elsewhere (a registry's error body, a label) made safe for a terminal: control characters other than
 * newline and tab become their escaped form.
 */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
