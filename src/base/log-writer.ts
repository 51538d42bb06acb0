/**
 * The logger that writes: records as JSON lines or for people, into a stream that may be slow or gone. Level and
 * format can be changed while it is in use.
 */
import { formatJson, formatPretty } from './log-format.ts';
import { logLevels } from './log.ts';
import type { LogFields, Logger, LogLevel } from './log.ts';

export type LogFormat = 'json' | 'pretty';

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** ANSI colours, in the pretty format only. */
  readonly colour: boolean;
}

/** Where finished lines go, each with its newline. Must not throw and must not wait. */
export type LogSink = (line: string) => void;

/** A logger whose settings can be changed; loggers made from it by `with` follow. */
export interface LogWriter {
  readonly log: Logger;
  set(settings: LogSettings): void;
}

/** Makes a logger that writes to `sink`. `now` gives the time of a record. */
export function createLogWriter(sink: LogSink, settings: LogSettings, now: () => Date = () => new Date()): LogWriter {
  let current = settings;
  let threshold = logLevels.indexOf(settings.level);

  function write(level: LogLevel, message: string, fields: LogFields): void {
    if (logLevels.indexOf(level) < threshold) return;
    const record = { time: now(), level, message, fields, stacks: current.level === 'debug' };
    sink(current.format === 'json' ? formatJson(record) : formatPretty(record, current.colour));
  }

  function loggerWith(base: LogFields): Logger {
    const at = (level: LogLevel) => (message: string, fields?: LogFields) => write(level, message, { ...base, ...fields });
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), with: (more) => loggerWith({ ...base, ...more }) };
  }

  return {
    log: loggerWith({}),
    set(next) {
      current = next;
      threshold = logLevels.indexOf(next.level);
    },
  };
}

/** What a stream has to have to be written to. */
export interface LogStream {
  readonly writableLength: number;
  write(text: string, written?: () => void): boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

const mostWaiting = 1 << 20;

/**
 * Writes to a stream without ever waiting for its reader: when more than 1 MiB lies unread, records are dropped and
 * counted, and the count is written once there is room. A reader that is gone (EPIPE) is no error: the daemon goes on.
 */
export function streamSink(stream: LogStream): LogSink {
  let dropped = 0;
  stream.on('error', () => {});
  return (line) => {
    if (stream.writableLength > mostWaiting) {
      dropped += 1;
      return;
    }
    const notice = dropped === 0 ? '' : formatJson({ time: new Date(), level: 'warn', message: 'log records dropped: nobody read them', fields: { dropped }, stacks: false });
    dropped = 0;
    stream.write(notice + line);
  };
}

/** Resolves when everything that was written has left this process, or after a second: a reader may never read. */
export async function flushed(stream: LogStream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const deadline = setTimeout(resolve, 1000);
  stream.write('', resolve);
  await promise;
  clearTimeout(deadline);
}
