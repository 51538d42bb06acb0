/** A blob's bytes, all of them, in order, whatever the network does meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Digest } from '../../base/digest.ts';
import { failure, isKind } from '../../base/errors.ts';
import { freeSpent } from '../../base/spent-bytes.ts';
import { readCapped, paced } from './pace.ts';
import type { Patience } from './pace.ts';
import type { Descriptor } from './manifest.ts';
import type { OpenBlob } from './registry-session.ts';

const mostResumes = 5;
/** After this much a failure counts as the first again: a long download on a weak line gets through. */
const forgivenAfterBytes = 32 << 20;
const firstPauseMs = 200;

/** Whom a blob is downloaded from: one registry, or several that stand in for each other. */
export interface BlobSource {
  /** For messages. */
  readonly host: string;
  readonly patience: Patience;
  openBlob(blob: Descriptor, offset: number, signal: AbortSignal): Promise<OpenBlob>;
  /** Hears of a download that broke off, so that the rest can come from somebody else. */
  brokeOff?(digest: Digest): void;
  /** Hears of each piece of a download that goes on to its consumer. */
  arrived?(bytes: number): void;
}

/**
 * Yields the bytes of a blob from byte `from` on, `blob.size` of them in all. A broken or stalled connection is resumed where it stopped, a few times. The
 * digest is the consumer's to check, as the bytes pass. A piece is gone when the next one is asked for.
 */
export async function* downloadBlob(source: BlobSource, blob: Descriptor, signal: AbortSignal, from = 0): AsyncGenerator<Buffer> {
  let received = from;
  let failures = 0;
  let failedAt = from;
  while (received < blob.size) {
    try {
      for await (const chunk of readFrom(source, blob, received, signal)) {
        received += chunk.length;
        if (received > blob.size) throw failure('failed-precondition', { act: 'get blob', object: blob.digest, why: `${source.host} sends more than the ${blob.size} bytes that the manifest says` });
        source.arrived?.(chunk.length);
        yield chunk;
        freeSpent(chunk);
      }
      if (received < blob.size) throw failure('unavailable', { act: 'get blob', object: blob.digest, why: `${source.host} ended after ${received} of ${blob.size} bytes` });
    } catch (error) {
      if (!isKind(error, 'unavailable')) throw error;
      source.brokeOff?.(blob.digest);
      if (received - failedAt > forgivenAfterBytes) failures = 0;
      failedAt = received;
      if (++failures > mostResumes) throw error;
      await sleep(firstPauseMs * 2 ** (failures - 1), undefined, { signal }).catch(() => {
        throw cancelled(blob);
      });
    }
  }
}

/** Gets a small blob whole and unverified; larger than `maxBytes` is failed-precondition. */
export async function downloadDocument(source: BlobSource, blob: Descriptor, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  if (blob.size > maxBytes) throw failure('failed-precondition', { act: 'get blob', object: blob.digest, why: `it has ${blob.size} bytes, the limit is ${maxBytes}` });
  const { body } = await source.openBlob(blob, 0, signal);
  return await readCapped(body, blob.size, { patience: source.patience, host: source.host, what: `blob ${blob.digest}` });
}

async function* readFrom(source: BlobSource, blob: Descriptor, offset: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  const { body, offset: start } = await source.openBlob(blob, offset, signal);
  let toSkip = offset - start;
  try {
    for await (const chunk of paced(body, source.patience, source.host)) {
      const fresh = chunk.subarray(Math.min(toSkip, chunk.length));
      toSkip -= chunk.length - fresh.length;
      if (fresh.length > 0) yield fresh;
    }
  } catch (error) {
    if (signal.aborted) throw cancelled(blob);
    // What a stream throws midway (ECONNRESET, aborted) means that the connection broke.
    throw isKind(error, 'unavailable') ? error : failure('unavailable', { act: 'get blob', object: blob.digest, why: `the connection to ${source.host} broke`, cause: error });
  }
}

function cancelled(blob: Descriptor): Error {
  return failure('cancelled', { act: 'get blob', object: blob.digest });
}
