import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../base/log.ts';
import { ContainerState } from '../../gen/cri.ts';
import type { EngineApi } from '../api/engine-api.ts';
import type { ContainerRecord } from '../records.ts';
import { LogCopy } from './log-copy.ts';

export interface CopiesOptions {
  readonly api: EngineApi;
  readonly log: Logger;
  /** Undefined when it is not there; throws while nothing is known. */
  readonly find: (id: string) => ContainerRecord | undefined;
}

/** How long a removal waits for the last lines. */
const finishMs = 10_000;

/** The copies under way, one for each container that has a log and has run. */
export class LogCopies {
  readonly #options: CopiesOptions;
  readonly #copies = new Map<string, LogCopy>();
  /** Ended containers whose log is complete. */
  readonly #complete = new Set<string>();
  #closed = false;

  constructor(options: CopiesOptions) {
    this.#options = options;
  }

  /** Begins to copy, or goes on where an earlier daemon was ended; to be called whenever a container is seen. */
  follow({ id, logPath, state, config }: ContainerRecord): void {
    if (this.#closed || logPath === '' || state === ContainerState.CONTAINER_CREATED || this.#copies.has(id) || this.#complete.has(id)) return;
    const copy = new LogCopy({ ...this.#options, id, logPath, tty: config.tty, runs: () => this.#runs(id) });
    this.#copies.set(id, copy);
    void copy.done.then(() => {
      this.#copies.delete(id);
      if (!this.#closed) this.#complete.add(id);
    });
  }

  /** Nothing to do for a container that wrote nothing yet: its file is made with its first line. */
  async reopen(id: string): Promise<void> {
    await this.#copies.get(id)?.reopen();
  }

  /** Waits until the log of a container that has ended has all of its output, 10 s at most. */
  async finish(id: string): Promise<void> {
    const copy = this.#copies.get(id);
    if (copy !== undefined) {
      await Promise.race([copy.done, sleep(finishMs, undefined, { ref: false })]);
      await copy.stop();
    }
    this.#complete.delete(id);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#copies.values()].map((copy) => copy.stop()));
  }

  #runs(id: string): boolean | undefined {
    try {
      return this.#options.find(id)?.state === ContainerState.CONTAINER_RUNNING;
    } catch {
      return undefined;
    }
  }
}
