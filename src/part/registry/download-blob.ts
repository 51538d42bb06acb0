/** A blob's bytes, all of them, in order, whatever the network does meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, isKind } from '../../base/errors.ts';
import { readCapped, paced } from './pace.ts';
import type { Descriptor } from './manifest.ts';
import type { RegistrySession } from './registry-session.ts';

const mostResumes = 5;
/** After this much a failure counts as the first again: a long download on a weak line gets through. */
const forgivenAfterBytes = 32 << 20;
const firstPauseMs = 200;

/**
 * Yields exactly `blob.size` bytes. A broken or stalled connection is resumed where it stopped, a few times. The
 * digest is the consumer's to check, as the bytes pass.
 */
export async function* downloadBlob(session: RegistrySession, blob: Descriptor, signal: AbortSignal): AsyncGenerator<Buffer> {
  let received = 0;
  let failures = 0;
  let failedAt = 0;
  while (received < blob.size) {
    try {
      for await (const chunk of readFrom(session, blob, received, signal)) {
        received += chunk.length;
        if (received > blob.size) throw failure('failed-precondition', { act: 'get blob', object: blob.digest, why: `${session.host} sends more than the ${blob.size} bytes that the manifest says` });
        yield chunk;
      }
      if (received < blob.size) throw failure('unavailable', { act: 'get blob', object: blob.digest, why: `${session.host} ended after ${received} of ${blob.size} bytes` });
    } catch (error) {
      if (!isKind(error, 'unavailable')) throw error;
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
export async function downloadDocument(session: RegistrySession, blob: Descriptor, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  if (blob.size > maxBytes) throw failure('failed-precondition', { act: 'get blob', object: blob.digest, why: `it has ${blob.size} bytes, the limit is ${maxBytes}` });
  const { body } = await session.openBlob(blob, 0, signal);
  return await readCapped(body, blob.size, { patience: session.patience, host: session.host, what: `blob ${blob.digest}` });
}

async function* readFrom(session: RegistrySession, blob: Descriptor, offset: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  const { body, offset: start } = await session.openBlob(blob, offset, signal);
  let toSkip = offset - start;
  try {
    for await (const chunk of paced(body, session.patience, session.host)) {
      const fresh = chunk.subarray(Math.min(toSkip, chunk.length));
      toSkip -= chunk.length - fresh.length;
      if (fresh.length > 0) yield fresh;
    }
  } catch (error) {
    if (signal.aborted) throw cancelled(blob);
    // What a stream throws midway (ECONNRESET, aborted) means that the connection broke.
    throw isKind(error, 'unavailable') ? error : failure('unavailable', { act: 'get blob', object: blob.digest, why: `the connection to ${session.host} broke`, cause: error });
  }
}

function cancelled(blob: Descriptor): Error {
  return failure('cancelled', { act: 'get blob', object: blob.digest });
}
