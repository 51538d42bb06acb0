/** What the host holds of ours that nobody owns: found by a look around, never from memory, and taken away when asked to. */
import { messageOf } from '../../base/errors.ts';
import type { HeldThing } from '../../base/held-thing.ts';
import type { Logger } from '../../base/log.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { ClearedLeak, Leak, ListLeaksResponse } from '../../gen/admin.ts';
import type { Debts } from '../../part/store/debts.ts';

/** A place on the host where we put things. */
export interface LeakPlace {
  /** For people, when it cannot be looked at. */
  readonly name: string;
  /** Everything in this place that names an owner. Changes nothing. */
  find(): Promise<HeldThing[]>;
  /** All that may own something here now: what exists, is being made, or is still to be undone. */
  owners(): ReadonlySet<string>;
  /** Others put their things here too: only what carries an id that `isOurs` counts. Absent where the place is ours alone. */
  isOurs?(id: string): boolean;
}

export interface LeakSearchDeps {
  /** In the order in which what is in them has to be taken away. */
  readonly places: readonly LeakPlace[];
  readonly debts: Debts;
  readonly log: Logger;
}

interface Found {
  readonly leaks: readonly { readonly thing: HeldThing; readonly place: LeakPlace }[];
  readonly unseen: string[];
}

export class LeakSearch {
  readonly #deps: LeakSearchDeps;
  readonly #searching = new SingleFlight<Found>();
  readonly #clearing = new SingleFlight<ClearedLeak[]>();

  constructor(deps: LeakSearchDeps) {
    this.#deps = deps;
  }

  /** Looks everywhere, once for all who ask at the same time. A place that cannot be looked at is named in `unseen`. */
  async list(): Promise<ListLeaksResponse> {
    const { leaks, unseen } = await this.#search();
    const debts = this.#deps.debts.all().map(({ since, nextTry, ...debt }) => ({ ...debt, since: toNs(since), nextTry: toNs(nextTry) }));
    return { leaks: leaks.map(({ thing }) => asLeak(thing)), debts, unseen };
  }

  /** Takes away those of `asked` that still are leaks. One that cannot be is told, and does not keep the others from it. */
  async clear(asked: readonly Leak[]): Promise<ClearedLeak[]> {
    const keys = new Set(asked.map(keyOf));
    return await this.#clearing.run([...keys].sort().join('\n'), async () => {
      const { leaks } = await this.#search();
      const cleared: ClearedLeak[] = [];
      for (const { thing, place } of leaks) {
        if (!keys.has(keyOf(thing)) || place.owners().has(thing.owner)) continue;
        cleared.push({ leak: asLeak(thing), error: await this.#remove(thing) });
      }
      return cleared;
    });
  }

  async #remove(thing: HeldThing): Promise<string> {
    const { kind, name, owner } = thing;
    try {
      await thing.remove();
      this.#deps.log.info('leak cleared', { kind, name, owner });
      return '';
    } catch (error) {
      this.#deps.log.warn('cannot clear a leak', { kind, name, owner, error: messageOf(error) });
      return messageOf(error);
    }
  }

  #search(): Promise<Found> {
    return this.#searching.run('all', async () => {
      const unseen: string[] = [];
      const found = await Promise.all(this.#deps.places.map(async (place) => {
        const things = await strayIn(place).catch((error: unknown) => {
          unseen.push(`${place.name}: ${messageOf(error)}`);
          return [];
        });
        return things.map((thing) => ({ thing, place }));
      }));
      return { leaks: found.flat(), unseen };
    });
  }
}

/**
 * Owners are asked for before the look and after it: what was made meanwhile has been announced by its owner before it was made, and
 * what was taken away meanwhile was owned at the beginning.
 */
async function strayIn(place: LeakPlace): Promise<HeldThing[]> {
  const before = place.owners();
  const things = await place.find();
  const after = place.owners();
  return things.filter(({ owner }) => !before.has(owner) && !after.has(owner) && (place.isOurs?.(owner) ?? true));
}

function asLeak({ kind, name, owner, since, bytes }: HeldThing): Leak {
  return { kind, name, owner, since: since ?? 0n, bytes: bytes ?? 0n };
}

function keyOf({ kind, name }: Pick<HeldThing, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
}

function toNs(ms: number): bigint {
  return BigInt(ms) * 1_000_000n;
}
