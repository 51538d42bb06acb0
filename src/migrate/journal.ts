/**
 * What a migration has done, line by line, each on the disk before what it tells of is begun: so it can be interrupted at any moment, and goes on, or
 * back, from there. Copies of the files that it changes lie beside it.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { copyFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { failure, hasCode } from '../base/errors.ts';

export type JournalEntry =
  /** What was found at the beginning: afterwards the kubelet's files say something else. */
  | { readonly event: 'survey'; readonly survey: SurveyRecord }
  | { readonly event: 'begin' | 'done' | 'undone'; readonly step: string }
  /** A file is about to be changed. `backup` is a copy's name beside the journal; undefined: there was no file. */
  | { readonly event: 'write'; readonly step: string; readonly file: string; readonly backup?: string; readonly sha256: string };

export interface SurveyRecord {
  readonly source: 'docker' | 'cri-dockerd' | 'containerd';
  /** Of the old runtime; undefined: the kubelet's own Docker client. */
  readonly endpoint?: string;
}

const fileName = 'journal.jsonl';

export class Journal {
  readonly folder: string;
  readonly #entries: JournalEntry[];

  /** Reads what is there; nothing is made before the first entry. Damaged: failed-precondition. */
  constructor(folder: string) {
    this.folder = folder;
    this.#entries = readEntries(path.join(folder, fileName));
  }

  get entries(): readonly JournalEntry[] {
    return this.#entries;
  }

  get survey(): SurveyRecord | undefined {
    return this.#entries.flatMap((entry) => (entry.event === 'survey' ? [entry.survey] : [])).at(-1);
  }

  /** How far a step is. */
  stateOf(step: string): 'untouched' | 'begun' | 'done' {
    const last = this.#entries.findLast((entry) => 'step' in entry && entry.step === step && entry.event !== 'write');
    return last === undefined || last.event === 'undone' ? 'untouched' : last.event === 'done' ? 'done' : 'begun';
  }

  /** The files that a step has changed since it was last undone, the newest first. */
  writesOf(step: string): Extract<JournalEntry, { event: 'write' }>[] {
    const undone = this.#entries.findLastIndex((entry) => entry.event === 'undone' && entry.step === step);
    return this.#entries.slice(undone + 1).flatMap((entry) => (entry.event === 'write' && entry.step === step ? [entry] : [])).reverse();
  }

  /** On the disk when it returns. */
  add(entry: JournalEntry): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const descriptor = openSync(path.join(this.folder, fileName), 'a', 0o600);
    try {
      appendFileSync(descriptor, `${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    this.#entries.push(entry);
  }

  /** Keeps a copy of a file, and returns its name beside the journal. */
  async backUp(file: string): Promise<string> {
    const name = `${this.#entries.length}-${path.basename(file)}`;
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    await copyFile(file, path.join(this.folder, name));
    return name;
  }

  /** Puts a finished migration aside, so that another can begin. */
  async close(): Promise<void> {
    const stamp = new Date().toISOString().replaceAll(/[-:]|\..*/g, '');
    await rename(path.join(this.folder, fileName), path.join(this.folder, `journal-${stamp}.jsonl`));
    this.#entries.length = 0;
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The last line may have been cut off by a crash: what it was to tell of was not begun. */
function readEntries(file: string): JournalEntry[] {
  const lines = readOrEmpty(file).split('\n');
  const whole = lines.slice(0, -1).filter((line) => line !== '');
  return whole.map((line, n) => {
    try {
      return JSON.parse(line) as JournalEntry;
    } catch {
      throw failure('failed-precondition', { act: 'read the journal of the migration', object: file, why: `line ${n + 1} is damaged: mend it or put the file aside` });
    }
  });
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
