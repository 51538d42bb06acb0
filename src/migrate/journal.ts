/**
 * What a migration has done, line by line, each on the disk before what it tells of is begun: so it can be interrupted at any moment, and goes on, or
 * back, from there. Copies of the files that it changes lie beside it.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { readFile, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { failure, hasCode } from '../base/errors.ts';
import { syncDirectory, writeFileAtomic } from '../host/files.ts';
import { libc } from '../host/libc.ts';

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
  /** How the kubelet was started: while it stands still nobody else can tell which files it reads. */
  readonly kubeletWords?: readonly string[];
}

const fileName = 'journal.jsonl';
const lockName = 'lock';
const LOCK_EX = 2;
const LOCK_NB = 4;

export class Journal {
  readonly folder: string;
  readonly #entries: JournalEntry[];
  /** Of the whole lines, in bytes. */
  #length: number;

  /** Reads what is there; nothing is made before the first entry. Damaged: failed-precondition. */
  constructor(folder: string) {
    this.folder = folder;
    const whole = wholeLines(path.join(folder, fileName));
    this.#entries = parseLines(whole, path.join(folder, fileName));
    this.#length = Buffer.byteLength(whole);
  }

  /** Keeps others from writing until it is disposed, or the process ends. Somebody writes, or has written since this was read: failed-precondition. */
  lock(): Disposable {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const descriptor = openSync(path.join(this.folder, lockName), 'a', 0o600);
    try {
      libc.flock(descriptor, LOCK_EX | LOCK_NB);
      if (Buffer.byteLength(wholeLines(path.join(this.folder, fileName))) !== this.#length) throw failure('failed-precondition', { act: 'go on with the migration', object: this.folder, why: 'another gantry migrate has gone on with it in this moment: run this again' });
    } catch (error) {
      closeSync(descriptor);
      if (hasCode(error, 'EAGAIN')) throw failure('failed-precondition', { act: 'lock the journal of the migration', object: this.folder, why: 'another gantry migrate is at work: wait for it to end' });
      throw error;
    }
    return { [Symbol.dispose]: () => closeSync(descriptor) };
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

  /** On the disk when it returns. What a crash or a full disk left of a line goes first. */
  add(entry: JournalEntry): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const line = `${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`;
    const descriptor = openSync(path.join(this.folder, fileName), 'a', 0o600);
    try {
      ftruncateSync(descriptor, this.#length);
      appendFileSync(descriptor, line);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    if (this.#length === 0) syncFolder(this.folder);
    this.#length += Buffer.byteLength(line);
    this.#entries.push(entry);
  }

  /** Keeps a copy of a file with its mode, and returns its name beside the journal. It is on the disk then. */
  async backUp(file: string): Promise<string> {
    const name = `${this.#entries.length}-${path.basename(file)}`;
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    await writeFileAtomic(path.join(this.folder, name), await readFile(file), (await stat(file)).mode & 0o777);
    return name;
  }

  /** Puts a finished migration aside, so that another can begin. */
  async close(): Promise<void> {
    const stamp = new Date().toISOString().replaceAll(/[-:]|\..*/g, '');
    await rename(path.join(this.folder, fileName), path.join(this.folder, `journal-${stamp}.jsonl`));
    await syncDirectory(this.folder);
    this.#entries.length = 0;
    this.#length = 0;
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The last line may have been cut off by a crash: what it was to tell of was not begun. */
function wholeLines(file: string): string {
  const text = readOrEmpty(file);
  return text.slice(0, text.lastIndexOf('\n') + 1);
}

function parseLines(text: string, file: string): JournalEntry[] {
  return text.split('\n').filter((line) => line !== '').map((line, n) => {
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
