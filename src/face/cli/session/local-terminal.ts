/** The terminal that somebody sits at, while it belongs to a program elsewhere. */
import type { ReadStream, WriteStream } from 'node:tty';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface LocalTerminal {
  /** Undefined where no output is a terminal. */
  size(): TerminalSize | undefined;
  /** Returns what ends the listening. */
  onResize(listener: (size: TerminalSize) => void): () => void;
  /**
   * Keys come as they are typed, Ctrl-C too, and nothing is echoed. Returns what puts it back, which may be repeated. A SIGHUP or SIGQUIT
   * puts it back before it ends this process; so does any other end of the process but SIGKILL.
   */
  makeRaw(): () => void;
}

const endingSignals = ['SIGHUP', 'SIGQUIT'] as const; // Node.js itself puts it back for the others

/** The terminal that `stdin` is; undefined when it is none. Its size is that of the first output that is one. */
export function localTerminal(stdin: ReadStream, outputs: readonly WriteStream[]): LocalTerminal | undefined {
  if (stdin.isTTY !== true) return undefined;
  const output = outputs.find((one) => one.isTTY === true);
  const size = (): TerminalSize | undefined => (output === undefined ? undefined : { columns: output.columns, rows: output.rows });
  return {
    size,
    onResize(listener) {
      const resized = (): void => listener(size()!);
      output?.on('resize', resized);
      return () => void output?.off('resize', resized);
    },
    makeRaw() {
      stdin.setRawMode(true);
      const end = (signal: NodeJS.Signals): void => {
        restore();
        process.kill(process.pid, signal);
      };
      const restore = (): void => {
        stdin.setRawMode(false);
        for (const signal of endingSignals) process.off(signal, end);
      };
      for (const signal of endingSignals) process.on(signal, end);
      return restore;
    },
  };
}
