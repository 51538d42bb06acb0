/**
 * Small documents of images (manifests, indexes, configurations) by digest: `<root>/content/<hex>`. What is in here has been
 * verified, and is verified again when it is read.
 */
import { rmSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, hexOf } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { failure, hasCode } from '../../base/errors.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import { makePrivateDir, writeFileAtomic } from '../../host/files.ts';

/** Larger documents are refused: they are held in memory. */
export const largestDocument = 8 << 20;

export class ContentStore {
  readonly #directory: string;
  readonly #writes = new SingleFlight<void>();

  constructor(root: string) {
    this.#directory = join(root, 'content');
    makePrivateDir(this.#directory);
  }

  /** Stores a document under its digest, durably. Not its digest: failed-precondition; there already: nothing is done. */
  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    if (bytes.length > largestDocument) throw failure('failed-precondition', { act: 'store document', object: digest, why: `it has ${bytes.length} bytes, the limit is ${largestDocument}` });
    verify(digest, bytes, 'store document');
    await this.#writes.run(hexOf(digest), async () => {
      if (!(await this.#has(digest))) await writeFileAtomic(this.#path(digest), bytes);
    });
  }

  /** The document; not-found, or failed-precondition when the file was damaged since. */
  async get(digest: Digest): Promise<Buffer> {
    try {
      const bytes = await readWhole(this.#path(digest));
      verify(digest, bytes, 'read document');
      return bytes;
    } catch (cause) {
      if (hasCode(cause, 'ENOENT')) throw failure('not-found', { act: 'read document', object: digest, cause });
      throw cause;
    }
  }

  /** Removes every document for which `isNeeded` is false, and temporary files of a crash; not those of documents being written. */
  async keepOnly(isNeeded: (hex: string) => boolean): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      const hex = name.split('.', 1)[0] ?? name;
      const isKept = name === hex ? isNeeded(hex) : this.#writes.has(hex);
      // Asked and removed in one turn: a pull that wants the document from now on finds that it is gone.
      if (!isKept) rmSync(join(this.#directory, name), { force: true });
    }
  }

  /** A damaged document counts as absent, so that the next pull repairs it. */
  async #has(digest: Digest): Promise<boolean> {
    try {
      await this.get(digest);
      return true;
    } catch {
      return false;
    }
  }

  #path(digest: Digest): string {
    return join(this.#directory, hexOf(digest));
  }
}

function verify(digest: Digest, bytes: Uint8Array, act: string): void {
  const actual = digestOf(bytes);
  if (actual !== digest) throw failure('failed-precondition', { act, object: digest, why: `the content has the digest ${actual}` });
}

async function readWhole(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    if ((await file.stat()).size > largestDocument) throw failure('failed-precondition', { act: 'read document', object: path, why: 'it has grown beyond the limit' });
    return await file.readFile();
  } finally {
    await file.close();
  }
}
