/**
 * The service manager's notification socket (sd_notify(3)): the daemon says that it is ready, reloading or stopping,
 * and that it is alive. Where no service manager listens, nothing happens.
 */
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { libc, O_CLOEXEC } from './libc.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;

export interface Notifier extends Disposable {
  /** The daemon answers calls (again, after a reload). `status` is what `systemctl status` shows from now on. */
  ready(status?: string): void;
  /** A reload begins; `ready` ends it. */
  reloading(): void;
  stopping(status: string): void;
  alive(): void;
  /** How often `alive` must at least be said, in milliseconds; undefined when nobody watches. */
  readonly watchdogMs: number | undefined;
}

/**
 * Opens the socket that NOTIFY_SOCKET names. The environment given is not changed. Sending never waits and never
 * throws: a manager that does not listen is logged at debug level, once for each message.
 */
export function openNotifier(environment: Readonly<Record<string, string | undefined>>, log: Logger): Notifier {
  const address = environment['NOTIFY_SOCKET'];
  if (address === undefined || !/^[@/]./.test(address)) return { ready() {}, reloading() {}, stopping() {}, alive() {}, watchdogMs: undefined, [Symbol.dispose]() {} };

  const socket = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | O_CLOEXEC, 0);
  function send(...assignments: string[]): void {
    try {
      libc.sendtoUnix(socket, Buffer.from(assignments.join('\n')), address!);
    } catch (error) {
      log.debug('service manager not notified', { sent: assignments[0], why: messageOf(error) });
    }
  }
  return {
    ready: (status) => send('READY=1', ...(status === undefined ? [] : [`STATUS=${oneLine(status)}`])),
    reloading: () => send('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`), // hrtime is CLOCK_MONOTONIC
    stopping: (status) => send('STOPPING=1', `STATUS=${oneLine(status)}`),
    alive: () => send('WATCHDOG=1'),
    watchdogMs: watchdogOf(environment),
    [Symbol.dispose]: () => libc.close(socket),
  };
}

/** sd_watchdog_enabled(3): WATCHDOG_USEC counts when WATCHDOG_PID is absent or ours. */
function watchdogOf(environment: Readonly<Record<string, string | undefined>>): number | undefined {
  const { WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = environment;
  if (usec === undefined || !/^[1-9]\d*$/.test(usec)) return undefined;
  return pid === undefined || pid === String(process.pid) ? Number(usec) / 1000 : undefined;
}

/** A newline would begin another assignment. */
function oneLine(text: string): string {
  return text.replaceAll('\n', ' ');
}
