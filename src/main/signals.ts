/** The signals that a service manager and people send to the daemon. */

export interface ServeSignals extends Disposable {
  /** Settles with the first SIGTERM or SIGINT. A second one ends the process at once, whatever it is doing. */
  readonly stopped: Promise<NodeJS.Signals>;
  /** Calls `reload` for SIGHUP, one call at a time; signals that come meanwhile, or came before, make one more call. */
  onReload(reload: () => Promise<void>): void;
}

/** Begins to listen; from here on none of these signals kills the process by itself. */
export function watchSignals(): ServeSignals {
  const { promise: stopped, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(1);
    stopping = true;
    resolve(signal);
  };

  let reload: (() => Promise<void>) | undefined;
  let wanted = false;
  let reloading = false;
  async function reloadWhileWanted(): Promise<void> {
    if (reload === undefined || reloading) return;
    reloading = true;
    while (wanted) {
      wanted = false;
      await reload();
    }
    reloading = false;
  }
  const hangup = () => {
    wanted = true;
    void reloadWhileWanted();
  };

  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', hangup);
  return {
    stopped,
    onReload(handler) {
      reload = handler;
      void reloadWhileWanted();
    },
    [Symbol.dispose]() {
      process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', hangup);
    },
  };
}
