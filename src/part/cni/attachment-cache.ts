/**
 * What was attached, with which configuration, and what came of it: kept on disk so that DEL and CHECK use what ADD
 * used, after a change of the configuration, a restart or a reboot.
 *
 * An attachment has two files. `<container>:<interface>.json` is the intent: written before the first plugin runs, so
 * a daemon that is killed has it, and made durable while the plugins run, so it costs them no time.
 * `….result.json` comes after ADD and is not synced: without it a DEL still works, for plugins must manage without a
 * `prevResult`. Neither is ever changed, so an unreadable one was being written when the machine stopped, and counts as absent.
 */
import { open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import * as path from 'node:path';

import { hasCode } from '../../base/errors.ts';
import { makePrivateDir } from '../../host/files.ts';
import type { Attachment, AttachmentKey } from './attachment.ts';
import type { RawResult } from './cni-result.ts';
import type { CniVersion } from './cni-version.ts';
import type { NetworkConfig } from './network-config.ts';

export interface AttachmentRecord {
  readonly network: NetworkConfig;
  /** The spec version that ADD used. */
  readonly version: CniVersion;
  readonly attachment: Attachment;
}

export interface CachedAttachment extends AttachmentRecord {
  /** Absent when ADD did not get to its end. */
  readonly result: RawResult | undefined;
}

const intentSuffix = '.json';
const resultSuffix = '.result.json';

/** One call at a time for one attachment. Keys have passed `validateKey`, so they are safe as file names and hold no colon. */
export class AttachmentCache {
  readonly #directory: string;

  constructor(directory: string) {
    makePrivateDir(directory);
    this.#directory = directory;
  }

  /** Writes the intent; the returned function waits until it is on disk, and has to be called. */
  async begin(record: AttachmentRecord): Promise<() => Promise<void>> {
    const file = await open(this.#path(record.attachment, intentSuffix), 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(record));
    } catch (error) {
      await file.close();
      throw error;
    }
    return async () => {
      await syncAndClose(file);
      await syncAndClose(await open(this.#directory, 'r'));
    };
  }

  async finish(key: AttachmentKey, result: RawResult): Promise<void> {
    await writeFile(this.#path(key, resultSuffix), JSON.stringify(result), { mode: 0o600 });
  }

  async read(key: AttachmentKey): Promise<CachedAttachment | undefined> {
    const [record, result] = await Promise.all([
      readWhole<AttachmentRecord>(this.#path(key, intentSuffix)),
      readWhole<RawResult>(this.#path(key, resultSuffix)),
    ]);
    return record === undefined ? undefined : { ...record, result };
  }

  /** All attachments that were begun and not removed. */
  async all(): Promise<AttachmentRecord[]> {
    const names = await readdir(this.#directory);
    const intents = names.filter((name) => name.endsWith(intentSuffix) && !name.endsWith(resultSuffix));
    const records = await Promise.all(intents.map((name) => readWhole<AttachmentRecord>(path.join(this.#directory, name))));
    return records.filter((record) => record !== undefined);
  }

  /** The result goes first: an intent without a result is what an interrupted ADD leaves, and is cleaned up as such. */
  async remove(key: AttachmentKey): Promise<void> {
    await rm(this.#path(key, resultSuffix), { force: true });
    await rm(this.#path(key, intentSuffix), { force: true });
  }

  #path({ containerId, ifName }: AttachmentKey, suffix: string): string {
    return path.join(this.#directory, `${containerId}:${ifName}${suffix}`);
  }
}

/** In the thread pool: a disk may take its time, and the plugins are at work meanwhile. */
async function syncAndClose(file: FileHandle): Promise<void> {
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function readWhole<T>(file: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T;
  } catch (error) {
    if (error instanceof SyntaxError || hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
