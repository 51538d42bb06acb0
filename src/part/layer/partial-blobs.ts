/**
 * What has been downloaded of large blobs whose layer is not stored yet: `<root>/partial/<digest hex>`. It is written beside the unpacking
 * and never synced, and goes when the layer is unpacked, so that an undisturbed pull brings none of it to the disk. After a
 * crash or a broken pull the next download of that blob begins with it. Nothing in it is trusted: it is hashed like what the registry sends.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, read, readdirSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hexOf, isDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { hasCode } from '../../base/errors.ts';
import { makePrivateDir } from '../../host/files.ts';
import type { ExpectedLayer } from './unpack-protocol.ts';

const { O_CREAT, O_NOFOLLOW, O_RDWR } = constants;

/** Smaller blobs are downloaded again: that costs less than to keep account of them. */
const smallestBlob = 8 << 20;
/** Who has not come back for a blob by then will not. */
const keptMs = 24 * 3_600_000;
const mostBytes = 16 * 2 ** 30;
const readBytes = 256 * 1024;

/** A blob that is downloaded in part. */
export interface PartialDownload {
  readonly digest: Digest;
  readonly bytes: number;
}

export class PartialBlobs {
  readonly #directory: string;
  readonly #claimed = new Set<Digest>();

  constructor(root: string) {
    this.#directory = join(root, 'partial');
    makePrivateDir(this.#directory, 0o700);
  }

  /**
   * The partial file of a blob, for the caller alone until he ends it. Undefined where none is kept: the blob is small, somebody else
   * is downloading it, or the file can't be made, which is no reason not to pull.
   */
  claim({ blob, size }: ExpectedLayer): PartialBlob | undefined {
    if (size < smallestBlob || this.#claimed.has(blob)) return undefined;
    const path = this.#pathOf(blob);
    try {
      const fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
      if (fstatSync(fd).size > size) ftruncateSync(fd); // of a manifest that says otherwise
      this.#claimed.add(blob);
      return new PartialBlob(path, fd, () => this.#claimed.delete(blob));
    } catch {
      return undefined;
    }
  }

  /** Those that are on disk, also while their download goes on. */
  all(): PartialDownload[] {
    return this.#files().map(({ digest, bytes }) => ({ digest, bytes }));
  }

  /** Removes what nobody came back for within a day, then the oldest until the rest is within 16 GiB. Those in use stay. */
  sweep(now = Date.now()): void {
    const resting = this.#files().filter(({ digest }) => !this.#claimed.has(digest)).toSorted((a, b) => b.changedMs - a.changedMs);
    let kept = 0;
    for (const { digest, bytes, changedMs } of resting) {
      kept += bytes;
      if (now - changedMs > keptMs || kept > mostBytes) unlinkIfThere(this.#pathOf(digest));
    }
  }

  #files(): (PartialDownload & { changedMs: number })[] {
    return readdirSync(this.#directory).flatMap((hex) => {
      const digest = `sha256:${hex}`;
      const found = statSync(join(this.#directory, hex), { throwIfNoEntry: false });
      return found === undefined || !isDigest(digest) ? [] : [{ digest, bytes: found.size, changedMs: found.mtimeMs }];
    });
  }

  #pathOf(digest: Digest): string {
    return join(this.#directory, hexOf(digest));
  }
}

/** One blob's file. Its owner ends it once, by `keep` or `discard`, when nobody writes to `fd` any more. */
export class PartialBlob {
  readonly fd: number;
  readonly #path: string;
  readonly #release: () => void;

  constructor(path: string, fd: number, release: () => void) {
    this.#path = path;
    this.fd = fd;
    this.#release = release;
  }

  /** Bytes in the file. */
  get length(): number {
    return fstatSync(this.fd).size;
  }

  /** The file's first `length` bytes; a file that can't be read ends early, and the digest tells. */
  async *read(length: number): AsyncGenerator<Buffer> {
    for (let at = 0; at < length;) {
      const buffer = Buffer.allocUnsafe(Math.min(readBytes, length - at));
      const { bytesRead } = await promisify(read)(this.fd, buffer, 0, buffer.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  /** Empties the file: the download begins anew. */
  clear(): void {
    ftruncateSync(this.fd);
  }

  /** Leaves the file for the next download; an empty one is of no use. */
  keep(): void {
    if (this.length === 0) this.discard();
    else this.#close();
  }

  discard(): void {
    unlinkIfThere(this.#path);
    this.#close();
  }

  #close(): void {
    closeSync(this.fd);
    this.#release();
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
