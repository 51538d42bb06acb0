/**
 * Effects over the ledger: a recipe makes each lasting side effect through `make`, and whoever ends the owner (a failed recipe, a
 * removal, the recovery after a crash) undoes them through `undo`. There is one undo a kind, used by all three.
 */
import { during, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Ledger, LedgerRow } from './ledger.ts';

/** Undoes one effect. It must be repeatable, and it must succeed when the effect was never made or is half made. */
export type Undo = (data: never, owner: string) => Promise<void> | void;

export class Effects {
  readonly #ledger: Ledger;
  readonly #log: Logger;
  readonly #undos: ReadonlyMap<string, Undo>;

  constructor(deps: { ledger: Ledger; log: Logger; undos: Readonly<Record<string, Undo>> }) {
    this.#ledger = deps.ledger;
    this.#log = deps.log;
    this.#undos = new Map(Object.entries(deps.undos));
  }

  /** Records the intent, then makes the effect. When `work` throws the row stays: `undo` clears what may be half made. */
  async make<T>(effect: { owner: string; kind: string; data: unknown }, work: () => Promise<T> | T): Promise<T> {
    if (!this.#undos.has(effect.kind)) throw new Error(`effect ${effect.kind} has no undo`);
    this.#ledger.intend(effect.owner, effect.kind, effect.data);
    return await work();
  }

  /**
   * Undoes the owner's effects, newest first, each row cleared after its undo. Each effect stands on those made before it (a
   * network needs its namespace, a process its root), so one that cannot be undone ends it: it stays with all before it as a debt,
   * and its failure is thrown.
   */
  async undo(owner: string, kinds?: readonly string[]): Promise<void> {
    for (const row of this.#ledger.rows(owner)) {
      if (kinds !== undefined && !kinds.includes(row.kind)) continue;
      try {
        await this.#undoRow(row);
      } catch (error) {
        this.#log.warn('undo failed, kept as a debt', { owner, effect: row.kind, error: messageOf(error) });
        throw during(error, { act: `undo ${row.kind} of`, object: owner });
      }
    }
  }

  /** After a failed recipe: undoes all, and only logs what could not be undone, so that the caller sees the first error. */
  async rollback(owner: string): Promise<void> {
    await this.undo(owner).catch(() => {});
  }

  /** Owners with effects on record. */
  owners(): string[] {
    const known = (row: LedgerRow): boolean => this.#undos.has(row.kind);
    return [...new Set(this.#ledger.rows().filter(known).map((row) => row.owner))];
  }

  async #undoRow(row: LedgerRow): Promise<void> {
    const undo = this.#undos.get(row.kind);
    if (undo === undefined) return; // another engine's kind
    await undo(row.data as never, row.owner);
    this.#ledger.clear(row.seq);
  }
}
