import type { Arrear, Debts } from '../../part/store/debts.ts';

/** Directories of layers that a failed pull or a removal could not take away, and that are still there. */
export function* imageArrears(layers: { leftBehind(): string[]; removeLeft(name: string): Promise<void> }, debts: Debts): Generator<Arrear> {
  for (const name of layers.leftBehind()) yield { owner: name, pay: () => remove(name) };

  async function remove(name: string): Promise<void> {
    const key = `layer ${name}`;
    try {
      await layers.removeLeft(name);
      debts.paid(key);
    } catch (error) {
      debts.owed(key, { owner: name, what: 'layer' }, error);
      throw error;
    }
  }
}
