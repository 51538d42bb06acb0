import type { LayerJournal, LayerRecord } from './layer-store.ts';

/** The daemon's store in memory; what survives a crash in these tests is what it holds. */
export function makeJournal(): LayerJournal & { rows: Map<number, { seq: number; kind: string; data: unknown }> } {
  const records = new Map<string, LayerRecord>();
  const rows = new Map<number, { seq: number; kind: string; data: unknown }>();
  let seq = 0;
  return {
    rows,
    records: { put: (id, value) => void records.set(id, value), get: (id) => records.get(id), delete: (id) => void records.delete(id), all: () => [...records.values()] },
    ledger: {
      intend(_, kind, data) {
        rows.set(++seq, { seq, kind, data });
        return seq;
      },
      clear: (row) => void rows.delete(row),
      rows: () => [...rows.values()],
    },
    transaction: (fn) => fn(),
  };
}
