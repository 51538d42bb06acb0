/**
 * Effects over the ledger: a recipe makes each lasting side effect through `make`, and whoever ends the owner (a failed recipe, a
 * removal, the recovery after a crash) undoes them through `undo`. There is one undo a kind, used by all three.
 */
import { during } from '../../base/errors.ts';
import { atPoint } from '../../base/faults.ts';
import type { Debts } from './debts.ts';
import type { Ledger, LedgerRow } from './ledger.ts';

/** Undoes one effect. It must be repeatable, and it must succeed when the effect was never made or is half made. */
export type Undo = (data: never, owner: string) => Promise<void> | void;

/**
 * The kinds whose effects must be gone before one of this kind is undone. A kind that is not named here waits for all that was made
 * after it: a process stands on its root, a directory holds everything.
 */
export type UndoOrder = Readonly<Record<string, readonly string[]>>;

export interface EffectsDeps {
  readonly ledger: Ledger;
  /** Where what could not be undone is noted. */
  readonly debts: Debts;
  readonly undos: Readonly<Record<string, Undo>>;
  readonly order?: UndoOrder;
}

export class Effects {
  readonly #ledger: Ledger;
  readonly #debts: Debts;
  readonly #undos: ReadonlyMap<string, Undo>;
  readonly #order: UndoOrder;

  constructor(deps: EffectsDeps) {
    this.#ledger = deps.ledger;
    this.#debts = deps.debts;
    this.#undos = new Map(Object.entries(deps.undos));
    this.#order = deps.order ?? {};
  }

  /** Records the intent, then makes the effect. When `work` throws the row stays: `undo` clears what may be half made. */
  async make<T>(effect: { owner: string; kind: string; data: unknown }, work: () => Promise<T> | T): Promise<T> {
    if (!this.#undos.has(effect.kind)) throw new Error(`effect ${effect.kind} has no undo`);
    this.#ledger.intend(effect.owner, effect.kind, effect.data);
    return await atPoint(`make/${effect.kind}`, work);
  }

  /**
   * Undoes the owner's effects, newest first, each row cleared after its undo. One that cannot be undone stays as a debt, with all
   * that has to wait for it; the others go on. The first failure is thrown at the end.
   */
  async undo(owner: string, kinds?: readonly string[]): Promise<void> {
    const left = new Set<string>();
    let failed: Error | undefined;
    for (const row of this.#ledger.rows(owner)) {
      if (kinds !== undefined && !kinds.includes(row.kind)) continue;
      try {
        if (this.#hasToWait(row, left)) left.add(row.kind);
        else await this.#undoRow(row);
      } catch (error) {
        left.add(row.kind);
        this.#debts.owed(keyOf(row), { owner, what: row.kind }, error);
        failed ??= during(error, { act: `undo ${row.kind} of`, object: owner });
      }
    }
    if (failed !== undefined) throw failed;
  }

  /** After a failed recipe: undoes all; what cannot be undone is a debt and no failure, so that the caller sees the first error. */
  async rollback(owner: string): Promise<void> {
    await this.undo(owner).catch(() => {});
  }

  /** Owners with effects on record and the kinds of these, who made the newest first. */
  pending(): Map<string, Set<string>> {
    const owners = new Map<string, Set<string>>();
    for (const { owner, kind } of this.#ledger.rows()) {
      if (this.#undos.has(kind)) owners.set(owner, (owners.get(owner) ?? new Set()).add(kind));
    }
    return owners;
  }

  /** Owners with effects on record. */
  owners(): string[] {
    return [...this.pending().keys()];
  }

  #hasToWait({ kind }: LedgerRow, left: ReadonlySet<string>): boolean {
    const standsUnder = this.#order[kind];
    return standsUnder === undefined ? left.size > 0 : standsUnder.some((other) => left.has(other));
  }

  async #undoRow(row: LedgerRow): Promise<void> {
    const undo = this.#undos.get(row.kind);
    if (undo === undefined) return; // another engine's kind
    await atPoint(`undo/${row.kind}`, () => undo(row.data as never, row.owner));
    this.#ledger.clear(row.seq);
    this.#debts.paid(keyOf(row));
  }
}

function keyOf({ seq }: LedgerRow): string {
  return `ledger ${seq}`;
}
