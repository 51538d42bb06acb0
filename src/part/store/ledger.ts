/**
 * The ledger: intent before effect. Before a side effect that outlives the process is made (a mount, a namespace file, a
 * directory, an IP, a cgroup, a runtime container), a row says of what kind it is, for whom, and all that its undo
 * needs. The row is cleared after the undo. What a killed daemon left half-made is thereby always known, and undone
 * newest first.
 */
import type { DatabaseSync } from 'node:sqlite';
import { durably } from './durably.ts';
import { decodeJson, encodeJson } from './json.ts';
import type { MemoryJournal } from './memory-journal.ts';

export interface LedgerRow {
  readonly seq: number;
  /** The id of the pod, container or layer that the effect belongs to. */
  readonly owner: string;
  /** Names the undo (`overlay-mount`, `network`, …). */
  readonly kind: string;
  readonly data: unknown;
}

export interface Ledger {
  /** Records an intent, durably when it returns; gives its number for `clear`. */
  intend(owner: string, kind: string, data: unknown): number;
  /** Forgets a row after its undo. An unknown number is fine. */
  clear(seq: number): void;
  /** The rows of one owner or of all, newest first. */
  rows(owner?: string): LedgerRow[];
  owners(): string[];
}

export function openLedger({ database, path, memory }: { database: DatabaseSync; path: string; memory: MemoryJournal }): Ledger {
  database.exec('CREATE TABLE IF NOT EXISTS ledger (seq INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL) STRICT');
  const insert = database.prepare('INSERT INTO ledger (owner, kind, data) VALUES (?, ?, ?)');
  const remove = database.prepare('DELETE FROM ledger WHERE seq = ?');
  // Rows are few (a handful a pod) and read on every removal: they are kept in memory beside the file.
  const rows = memory.watch(new Map<number, LedgerRow>());
  for (const row of database.prepare('SELECT seq, owner, kind, data FROM ledger ORDER BY seq').all()) {
    const seq = Number(row['seq']);
    rows.set(seq, { seq, owner: String(row['owner']), kind: String(row['kind']), data: decodeJson(String(row['data'])) });
  }
  return {
    intend(owner, kind, data) {
      const text = encodeJson(data);
      const seq = Number(durably({ path, name: 'intend' }, () => insert.run(owner, kind, text)).lastInsertRowid);
      rows.set(seq, { seq, owner, kind, data: decodeJson(text) });
      return seq;
    },
    clear(seq) {
      durably({ path, name: 'clear' }, () => remove.run(seq));
      rows.delete(seq);
    },
    rows(owner) {
      const found: LedgerRow[] = [];
      for (const row of rows.values()) if (owner === undefined || row.owner === owner) found.push(row);
      return found.reverse();
    },
    owners() {
      return [...new Set([...rows.values()].map((row) => row.owner))];
    },
  };
}
