/**
 * Learns how containers end. conmon writes `<exit-dir>/<id>` (temporary file, then rename) with the exit code; its
 * modification time is the moment of the end. A rename is seen at once; a scan at the start and from time to time makes up
 * for lost events and for containers that ended while we did not run.
 *
 * conmon can die before its container (2.1.6 has a use after free). The container then runs on without log and attach,
 * and nobody records its exit code: the watch tells, keeps an eye on the process, and reports 255 when it is gone.
 */
import { readFileSync, readdirSync, rmSync, statSync, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { hasCode, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { processAlive } from './process-ref.ts';
import type { ProcessRef } from './process-ref.ts';

/** The exit code of a container whose conmon died before it: nobody knows the real one. */
export const unknownExitCode = 255;

export interface Exit {
  /** The exit code, 128 + n when signal n ended the process. */
  readonly code: number;
  /** Nanoseconds since 1970. */
  readonly at: bigint;
  /** True when conmon was gone, so that code and time are guesses. */
  readonly monitorLost: boolean;
}

/** Reads a container's exit file; undefined while it has none. */
export function readExit(dir: string, id: string): Exit | undefined {
  const path = join(dir, id);
  let text: string;
  let at: bigint;
  try {
    text = readFileSync(path, 'latin1');
    at = statSync(path, { bigint: true }).mtimeNs;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  // conmon writes -1 where it has no exit status.
  return { code: /^\d+$/.test(text.trim()) ? Number(text) : unknownExitCode, at, monitorLost: false };
}

export interface WatchedContainer {
  readonly id: string;
  readonly container: ProcessRef;
  readonly conmon: ProcessRef;
  /** Resolves when conmon ends; known for containers that this process created. The others are asked about by scan. */
  readonly conmonExited?: Promise<void>;
  /** Called once, never from within `watch`. */
  onExit(exit: Exit): void;
  /** Called at most once: conmon died, the container runs on. */
  onMonitorLost(): void;
}

export interface ExitWatchDeps {
  /** The exit directory; it has to exist. */
  readonly dir: string;
  readonly log: Logger;
  /** How often everything is looked at again. */
  readonly scanMs?: number;
}

/** How often a container without a monitor is looked at: nothing else tells of its end. */
const orphanScanMs = 500;

interface Entry {
  readonly watched: WatchedContainer;
  monitorLost: boolean;
}

export class ExitWatch {
  readonly #dir: string;
  readonly #log: Logger;
  readonly #scanMs: number;
  readonly #entries = new Map<string, Entry>();
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: ExitWatchDeps) {
    this.#dir = deps.dir;
    this.#log = deps.log;
    this.#scanMs = deps.scanMs ?? 5000;
    this.#openWatcher();
    this.#schedule();
  }

  /** Reports this container's end, also when it ended before this call. */
  watch(watched: WatchedContainer): void {
    this.#entries.set(watched.id, { watched, monitorLost: false });
    void watched.conmonExited?.then(() => this.check(watched.id));
    setImmediate(() => this.check(watched.id));
  }

  /** Looks at one container now: what a caller does that waits for an end and does not want to wait for the next scan. */
  check(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || this.#closed) return;
    // In this order: a conmon found dead has written its exit file before, or never will.
    const monitored = processAlive(entry.watched.conmon);
    const exit = readExit(this.#dir, id);
    if (exit !== undefined) this.#report(entry, exit);
    else if (!monitored) this.#checkOrphan(entry);
  }

  /** Ends the watch of a container and removes its exit file: call it when the exit is recorded elsewhere. */
  forget(id: string): void {
    this.#entries.delete(id);
    rmSync(join(this.#dir, id), { force: true });
  }

  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    clearTimeout(this.#timer);
    this.#entries.clear();
  }

  #checkOrphan(entry: Entry): void {
    if (!processAlive(entry.watched.container)) {
      this.#report(entry, { code: unknownExitCode, at: BigInt(Date.now()) * 1_000_000n, monitorLost: true });
    } else if (!entry.monitorLost) {
      entry.monitorLost = true;
      this.#schedule();
      this.#log.warn('conmon died; the container runs on without log and attach, its exit code will be unknown', { container: entry.watched.id });
      this.#call(entry, () => entry.watched.onMonitorLost());
    }
  }

  #report(entry: Entry, exit: Exit): void {
    this.#entries.delete(entry.watched.id);
    this.#call(entry, () => entry.watched.onExit(exit));
  }

  #call(entry: Entry, callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#log.error('handling the end of a container failed', { container: entry.watched.id, error: messageOf(error) });
    }
  }

  #openWatcher(): void {
    try {
      this.#watcher = watch(this.#dir, { persistent: false }, (_, name) => {
        if (name !== null) this.check(name); // conmon's temporary names are nobody's id
      });
      this.#watcher.on('error', (error) => this.#dropWatcher(error));
    } catch (error) {
      this.#dropWatcher(error);
    }
  }

  // The scans go on without it, and each tries to get it back.
  #dropWatcher(error: unknown): void {
    this.#log.warn('cannot watch the exit directory; looking from time to time instead', { dir: this.#dir, error: messageOf(error) });
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const orphans = [...this.#entries.values()].some((entry) => entry.monitorLost);
    this.#timer = setTimeout(() => this.#scan(), orphans ? Math.min(orphanScanMs, this.#scanMs) : this.#scanMs);
    this.#timer.unref();
  }

  #scan(): void {
    try {
      if (this.#watcher === undefined) this.#openWatcher();
      const ended = new Set(readdirSync(this.#dir));
      for (const [id, entry] of this.#entries) {
        const tellsItself = entry.watched.conmonExited !== undefined && !entry.monitorLost;
        if (ended.has(id) || !tellsItself) this.check(id);
      }
    } catch (error) {
      this.#log.warn('cannot read the exit directory', { dir: this.#dir, error: messageOf(error) });
    } finally {
      if (!this.#closed) this.#schedule();
    }
  }
}
