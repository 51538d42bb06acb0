/**
 * Copies one container's output from the Engine's log into the log file that the kubelet reads, in the CRI's format. Where it goes on after
 * a restart of either daemon the file itself says, by the time of its last line: no line is lost and none comes twice, as long as the Engine
 * keeps it.
 */
import { mkdir, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isKind, messageOf } from '../../base/errors.ts';
import { KeyedLock } from '../../base/keyed-lock.ts';
import type { Logger } from '../../base/log.ts';
import type { EngineApi } from '../api/engine-api.ts';
import { EntryReader } from './log-entries.ts';
import type { LogEntry } from './log-entries.ts';
import { positionOf } from './log-position.ts';
import type { LogPosition } from './log-position.ts';

export interface CopyOptions {
  readonly api: EngineApi;
  readonly log: Logger;
  readonly id: string;
  readonly logPath: string;
  readonly tty: boolean;
  /** Whether the container still writes; undefined when that cannot be known now. */
  readonly runs: () => boolean | undefined;
}

/** What it waits after a failure: the Engine away, or the disk full. */
const retryMs = 1000;
/** The Engine ends a log a moment before it says that the container has ended. */
const endingMs = 100;

export class LogCopy {
  /** Resolves when all is copied of a container that has ended or is gone, or after `stop`. */
  readonly done: Promise<void>;
  readonly #options: CopyOptions;
  readonly #stop = new AbortController();
  readonly #lock = new KeyedLock();
  #file: FileHandle | undefined;
  #position: LogPosition | undefined;

  constructor(options: CopyOptions) {
    this.#options = options;
    this.done = this.#run();
  }

  /** Goes on in a new file at the path. */
  async reopen(): Promise<void> {
    await this.#lock.run('file', async () => {
      await this.#close();
      this.#file = await openLog(this.#options.logPath);
    });
  }

  /** Leaves it as it is, to be gone on with another time. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.done;
  }

  async #run(): Promise<void> {
    const { log, id, runs } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        this.#position ??= await positionOf(this.#options.logPath);
        const mayGoOn = runs() !== false;
        await this.#copy({ follow: mayGoOn });
        // What was followed may have ended a moment early: all is there only once a look at the finished log found its end.
        if (!mayGoOn) break;
        if (runs() !== false) await this.#pause(endingMs);
      } catch (error) {
        if (this.#stop.signal.aborted || isKind(error, 'not-found')) break;
        // That the Engine is away is told once, by who follows it.
        if (!isKind(error, 'unavailable')) log.warn('copy the output of a container to its log', { container: id, file: this.#options.logPath, error: messageOf(error), againInMs: retryMs });
        this.#position = undefined; // the file says what was written of the last lines
        await this.#pause(retryMs);
      }
    }
    await this.#lock.run('file', () => this.#close());
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  async #copy({ follow }: { readonly follow: boolean }): Promise<void> {
    const { api, id, tty } = this.#options;
    const answer = await api.stream({
      act: { act: 'read log of container', object: id }, path: `/containers/${id}/logs`,
      query: { stdout: true, stderr: true, timestamps: true, follow, since: sinceOf(this.#position!) },
      signal: this.#stop.signal,
    });
    const reader = new EntryReader({ tty });
    const known = new KnownEntries(this.#position!);
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      const fresh = reader.push(chunk).filter((entry) => known.isNew(entry));
      if (fresh.length > 0) await this.#write(fresh);
    }
  }

  async #write(entries: readonly LogEntry[]): Promise<void> {
    await this.#lock.run('file', async () => {
      this.#file ??= await openLog(this.#options.logPath);
      await this.#file.appendFile(Buffer.concat(entries.map(({ line }) => line)));
    });
    for (const { time } of entries) this.#position = { time, entries: time === this.#position!.time ? this.#position!.entries + 1 : 1 };
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

/** Tells what the file has from what is new: the Engine sends everything from the second of the last line on. */
class KnownEntries {
  readonly #position: LogPosition;
  #atThatTime = 0;

  constructor(position: LogPosition) {
    this.#position = position;
  }

  isNew({ time }: LogEntry): boolean {
    if (time > this.#position.time) return true;
    if (time < this.#position.time) return false;
    this.#atThatTime += 1;
    return this.#atThatTime > this.#position.entries;
  }
}

/** The API's `since`: whole seconds, as older Engines round the rest away. */
function sinceOf({ time }: LogPosition): number {
  return time === '' ? 0 : Math.floor(Date.parse(time) / 1000);
}

async function openLog(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  return await open(path, 'a', 0o640);
}
