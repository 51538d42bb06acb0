/** Keeps the store's maps in memory true to the database when a transaction is rolled back: remembers what each entry was. */
export class MemoryJournal {
  #undo: (() => void)[] | undefined;

  begin(): void {
    this.#undo = [];
  }

  commit(): void {
    this.#undo = undefined;
  }

  rollback(): void {
    for (const undo of this.#undo?.reverse() ?? []) undo();
    this.#undo = undefined;
  }

  /** The same map, whose `set` and `delete` are undone by `rollback`. An entry put back comes last in order. */
  watch<K, V>(map: Map<K, V>): Map<K, V> {
    const remember = (key: K): void => {
      if (this.#undo === undefined) return;
      const had = map.has(key);
      const old = map.get(key) as V;
      this.#undo.push(() => void (had ? Map.prototype.set.call(map, key, old) : Map.prototype.delete.call(map, key)));
    };
    const set = map.set.bind(map);
    const remove = map.delete.bind(map);
    map.set = (key, value) => {
      remember(key);
      return set(key, value);
    };
    map.delete = (key) => {
      remember(key);
      return remove(key);
    };
    return map;
  }
}
