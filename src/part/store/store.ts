/**
 * The daemon's records on disk: node:sqlite with a write-ahead log and synchronous=FULL, so that a record is durable when
 * `put` returns (0.1 ms) and survives kill -9 and power loss. Reads come from memory.
 */
import { chmodSync, closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { failure } from '../../base/errors.ts';
import { durably } from './durably.ts';
import { decodeJson, encodeJson } from './json.ts';
import { openLedger } from './ledger.ts';
import type { Ledger } from './ledger.ts';
import { MemoryJournal } from './memory-journal.ts';

/** The layout of the database; a file with a higher number was written by a newer Gantry and is refused. */
const schemaVersion = 1;

/** Values by id. What `get` and `all` return is shared: never change it, `put` a new value. */
export interface Table<T> {
  /** Inserts or replaces; durable when it returns. A full disk is resource-exhausted, and then nothing has changed. */
  put(id: string, value: T): void;
  get(id: string): T | undefined;
  /** An unknown id is fine. */
  delete(id: string): void;
  all(): T[];
}

export interface Store {
  /** Opens (and on first use makes) a table. Two calls with one name give tables that do not see each other: open each once. */
  table<T>(name: string): Table<T>;
  /** All or nothing: what `fn` puts, deletes and clears is durable together. Not nestable; `fn` is synchronous. */
  transaction<T>(fn: () => T): T;
  readonly ledger: Ledger;
  close(): void;
}

/** Opens the store file, making it if absent. A damaged or newer file: failed-precondition, and nothing is changed. */
export function openStore(path: string): Store {
  const database = openDatabase(path);
  const memory = new MemoryJournal();
  return {
    table: (name) => openTable({ database, path, memory }, name),
    transaction(fn) {
      durably({ path, name: 'begin' }, () => database.exec('BEGIN IMMEDIATE'));
      memory.begin();
      try {
        const result = fn();
        durably({ path, name: 'commit' }, () => database.exec('COMMIT'));
        memory.commit();
        return result;
      } catch (error) {
        memory.rollback();
        if (database.isTransaction) database.exec('ROLLBACK'); // a full disk makes SQLite do it by itself
        throw error;
      }
    },
    ledger: openLedger({ database, path, memory }),
    close: () => database.close(),
  };
}

function openDatabase(path: string): DatabaseSync {
  try {
    makePrivate(path);
    const database = new DatabaseSync(path);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000');
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
    if (version > schemaVersion) throw failure('failed-precondition', { act: 'open store', object: path, why: `it was written by a newer Gantry (layout ${version}, this one knows ${schemaVersion})` });
    database.exec(`PRAGMA user_version = ${schemaVersion}`);
    return database;
  } catch (cause) {
    if (cause instanceof Error && 'kind' in cause) throw cause;
    throw failure('failed-precondition', { act: 'open store', object: path, cause });
  }
}

/** Records hold environments of containers, and with them secrets. SQLite gives its other files the mode of this one. */
function makePrivate(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}

function openTable<T>({ database, path, memory }: { database: DatabaseSync; path: string; memory: MemoryJournal }, name: string): Table<T> {
  if (!/^[a-z_]+$/.test(name)) throw failure('internal', { act: 'open table', object: name, why: 'a table name is lower-case letters' });
  database.exec(`CREATE TABLE IF NOT EXISTS record_${name} (id TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT`);
  const upsert = database.prepare(`INSERT INTO record_${name} (id, value) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET value = excluded.value`);
  const remove = database.prepare(`DELETE FROM record_${name} WHERE id = ?`);
  const values = memory.watch(new Map<string, T>());
  for (const row of database.prepare(`SELECT id, value FROM record_${name}`).all()) {
    values.set(String(row['id']), decodeJson(String(row['value'])) as T);
  }
  return {
    put(id, value) {
      durably({ path, name: `put ${name}` }, () => upsert.run(id, encodeJson(value)));
      values.set(id, value);
    },
    get: (id) => values.get(id),
    delete(id) {
      durably({ path, name: `delete ${name}` }, () => remove.run(id));
      values.delete(id);
    },
    all: () => [...values.values()],
  };
}
