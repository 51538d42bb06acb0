/**
 * Events for whoever watches. The engine tells of none: it is looked at once a second, while somebody watches and no longer, and once for all
 * who do. Lists come from memory, and what was not changed is the same object.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Engine } from '../../engine/engine.ts';
import { imageEvents, imageNames, itemChanges, itemEvent, takeSnapshot } from './changes.ts';
import type { DockerEvent, Snapshot } from './changes.ts';
import { nowNs } from './moments.ts';

/** How many events wait for a client that does not read before it is given up. */
const mostWaiting = 4096;
const lookEveryMs = 1000;

export class ChangeWatch {
  readonly #engine: Engine;
  readonly #log: Logger;
  readonly #watchers = new Set<Watcher>();
  #looking: AbortController | undefined;

  constructor({ engine, log }: { readonly engine: Engine; readonly log: Logger }) {
    this.#engine = engine;
    this.#log = log;
  }

  /**
   * Resolves when watching has begun, with what happens from then on until the signal is aborted, oldest first. A client that falls thousands of
   * events behind is resource-exhausted. The signal has to be aborted some time, also when nobody reads the events.
   */
  async watch(signal: AbortSignal): Promise<AsyncGenerator<DockerEvent>> {
    const watcher = new Watcher(await takeSnapshot(this.#engine), signal);
    if (!signal.aborted) this.#begin(watcher, signal);
    return watcher.events();
  }

  #begin(watcher: Watcher, signal: AbortSignal): void {
    this.#watchers.add(watcher);
    signal.addEventListener('abort', () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#looking?.abort();
    }, { once: true });
    this.#looking ??= this.#look();
  }

  #look(): AbortController {
    const stop = new AbortController();
    void this.#lookUntil(stop.signal).finally(() => {
      this.#looking = this.#watchers.size > 0 ? this.#look() : undefined;
    });
    return stop;
  }

  async #lookUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(lookEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
      await this.#tellChanges().catch((error: unknown) => this.#log.warn('events for clients of the Docker API could not be looked for', { error }));
    }
  }

  /** Nearly always all watchers have seen the same. */
  async #tellChanges(): Promise<void> {
    if (this.#watchers.size === 0) return;
    const now = await takeSnapshot(this.#engine);
    for (const [seen, watchers] of Map.groupBy(this.#watchers, (watcher) => watcher.seen)) {
      const events = await eventsBetween(this.#engine, seen, now);
      for (const watcher of watchers) watcher.push(events, now);
    }
  }
}

async function eventsBetween(engine: Engine, before: Snapshot, after: Snapshot): Promise<DockerEvent[]> {
  const nameOf = imageNames([...before.images.values(), ...after.images.values()]);
  const events = await Promise.all(itemChanges(before.items, after.items).map((change) => itemEvent(engine, change, nameOf)));
  return [...imageEvents(before.images, after.images, nowNs()), ...events].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

/** One client: what it has been told of, and what waits for it. */
class Watcher {
  seen: Snapshot;
  readonly #signal: AbortSignal;
  readonly #waiting: DockerEvent[] = [];
  #wake: (() => void) | undefined;

  constructor(seen: Snapshot, signal: AbortSignal) {
    this.seen = seen;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
  }

  push(events: readonly DockerEvent[], now: Snapshot): void {
    this.seen = now;
    if (this.#waiting.length <= mostWaiting) this.#waiting.push(...events);
    this.#wake?.();
  }

  async *events(): AsyncGenerator<DockerEvent> {
    while (!this.#signal.aborted) {
      if (this.#waiting.length > mostWaiting) throw failure('resource-exhausted', { act: 'tell events', why: `the client is ${this.#waiting.length} behind` });
      const event = this.#waiting.shift();
      if (event !== undefined) yield event;
      else await new Promise<void>((resolve) => { this.#wake = resolve; });
    }
  }
}
