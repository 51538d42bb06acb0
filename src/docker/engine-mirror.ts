/**
 * This daemon's pods and containers in the Engine, kept in memory so that lists and statuses need not ask: read as a whole when the Engine's events
 * begin to come, and each one anew when an event or a call of ours says that it changed. While the Engine is away nothing is known, and
 * whoever asks is told so.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, isKind, messageOf } from '../base/errors.ts';
import { KeyedLock } from '../base/keyed-lock.ts';
import type { Logger } from '../base/log.ts';
import { someAtOnce } from '../base/some-at-once.ts';
import type { ContainerInspect, ContainerSummary, EngineEvent } from './api/engine-answers.ts';
import type { EngineApi } from './api/engine-api.ts';
import { jsonLines } from './api/read-lines.ts';
import { label } from './labels.ts';
import { recordOf } from './records.ts';
import type { ContainerRecord, EngineRecord, PodRecord } from './records.ts';

export interface MirrorOptions {
  readonly api: EngineApi;
  /** The daemon's root directory, which its containers are labelled with. */
  readonly root: string;
  readonly log: Logger;
  /** Each time that all was read: after the start, and after the Engine was away. */
  readonly onSynced: () => void;
  /** A container is another one than before; `now` is undefined when it is gone. */
  readonly onChange: (before: EngineRecord | undefined, now: EngineRecord | undefined) => void;
}

/** How long to wait before the Engine is tried again. */
const retryMs = 500;
/** Of no use to us, and there are many of them: a probe makes three. */
const unimportant = /^(exec_|attach|resize|top|health_status)/;

export interface Records<T> {
  get(id: string): T | undefined;
  all(): T[];
}

export class EngineMirror {
  readonly #options: MirrorOptions;
  readonly #records = new Map<string, EngineRecord>();
  readonly #locks = new KeyedLock();
  readonly #closed = new AbortController();
  /** Why nothing is known now. */
  #away: unknown = failure('unavailable', { act: 'ask Docker Engine', why: 'gantry has not read its containers yet' });
  #loop: Promise<void> | undefined;

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  /** Begins to follow the Engine. Resolves when all is read, or when it could not be for `patienceMs`: it goes on trying. One that is too old: failed-precondition. */
  async start(patienceMs: number): Promise<void> {
    this.#loop = this.#follow();
    const until = performance.now() + patienceMs;
    while (this.#away !== undefined && performance.now() < until) {
      if (isKind(this.#away, 'failed-precondition')) throw this.#away;
      await sleep(20);
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#loop;
  }

  /** Why the Engine cannot be asked now; undefined when it can. */
  get shortcoming(): string | undefined {
    return this.#away === undefined ? undefined : messageOf(this.#away);
  }

  /** Those that RunPodSandbox returned. Unavailable while the Engine is away. */
  get pods(): Records<PodRecord> {
    return this.#view((record): record is PodRecord => record.kind === 'pod' && record.stage !== 'making');
  }

  /** Infra containers of pods that are in the making, or were when a daemon was killed. */
  get podsInTheMaking(): PodRecord[] {
    return this.#view((record): record is PodRecord => record.kind === 'pod' && record.stage === 'making').all();
  }

  get containers(): Records<ContainerRecord> {
    return this.#view((record): record is ContainerRecord => record.kind === 'container');
  }

  containersOf(podId: string): ContainerRecord[] {
    return this.containers.all().filter((record) => record.podId === podId);
  }

  /** Reads one anew, and returns what it is now. To be called after every change of ours, so that the next question has the answer. */
  async refresh(id: string): Promise<EngineRecord | undefined> {
    return await this.#locks.run(id, async () => {
      const now = await this.#inspect(id);
      this.#put(id, now);
      return now;
    });
  }

  #view<T extends EngineRecord>(is: (record: EngineRecord) => record is T): Records<T> {
    if (this.#away !== undefined) throw this.#away;
    return {
      get: (id) => {
        const record = this.#records.get(id);
        return record !== undefined && is(record) ? record : undefined;
      },
      all: () => [...this.#records.values()].filter(is),
    };
  }

  async #follow(): Promise<void> {
    const { api, log, root } = this.#options;
    const { signal } = this.#closed;
    while (!signal.aborted) {
      try {
        const filters = JSON.stringify({ type: ['container'], label: [`${label.root}=${root}`] });
        // First the events, then the reading: what changes in between is seen twice rather than not at all.
        const events = await api.stream({ act: { act: 'follow events of Docker Engine' }, path: '/events', query: { filters }, signal });
        await this.#readAll();
        if (this.#away !== undefined) log.info('Docker Engine is followed', { socket: api.socket, api: await api.version() });
        this.#away = undefined;
        this.#options.onSynced();
        for await (const event of jsonLines<EngineEvent>(events)) this.#heard(event);
        throw failure('unavailable', { act: 'follow events of Docker Engine', object: api.socket, why: 'the Docker Engine ended them: it is stopping, or restarts' });
      } catch (error) {
        if (signal.aborted) return;
        if (this.#away === undefined || messageOf(this.#away) !== messageOf(error)) log.warn('Docker Engine is away, and tried again until it is back', { error: messageOf(error) });
        this.#away = isKind(error, 'failed-precondition') ? error : failure('unavailable', { act: 'ask Docker Engine', object: api.socket, why: messageOf(error), cause: error });
        api.forget();
      }
      await sleep(retryMs, undefined, { signal }).catch(() => {});
    }
  }

  #heard({ Action, Actor }: EngineEvent): void {
    if (unimportant.test(Action)) return;
    this.refresh(Actor.ID).catch((error: unknown) => this.#options.log.warn('read container after an event', { container: Actor.ID, event: Action, error: messageOf(error) }));
  }

  async #readAll(): Promise<void> {
    const filters = JSON.stringify({ label: [`${label.root}=${this.#options.root}`] });
    const found = await this.#options.api.call<ContainerSummary[]>({ act: { act: 'list containers of Docker Engine' }, path: '/containers/json', query: { all: true, filters } });
    const ids = new Set(found.map(({ Id }) => Id));
    for (const id of this.#records.keys()) if (!ids.has(id)) this.#put(id, undefined);
    await someAtOnce(ids, async (id) => void (await this.refresh(id)));
  }

  async #inspect(id: string): Promise<EngineRecord | undefined> {
    try {
      const engine = await this.#options.api.call<ContainerInspect>({ act: { act: 'inspect container', object: id }, path: `/containers/${id}/json` });
      return recordOf(engine, this.#options.root, this.#records.get(id));
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined;
      throw error;
    }
  }

  #put(id: string, now: EngineRecord | undefined): void {
    const before = this.#records.get(id);
    // The same content stays the same object: faces keep what they made of it.
    if (before !== undefined && now !== undefined && JSON.stringify(before.engine) === JSON.stringify(now.engine)) return;
    if (now === undefined) this.#records.delete(id);
    else this.#records.set(id, now);
    if (before !== now) this.#options.onChange(before, now);
  }
}
