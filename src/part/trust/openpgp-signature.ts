import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { failure } from '../../base/errors.ts';

export interface OpenPgpQuestion {
  /** Files or values that hold public keys, armored or not. */
  readonly keys: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  /** Signed messages, not armored. */
  readonly signatures: readonly Uint8Array[];
}

/** What was signed, or why the signature is not good. */
export type OpenPgpVerdict = { readonly content: Uint8Array } | { readonly why: string };

export type OpenPgpAnswer = { readonly verdicts: readonly OpenPgpVerdict[] } | { readonly problem: string };

const workerFile = new URL(`./openpgp-worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
const deadlineMs = 20_000;
const memoryMb = 256;

/**
 * Holds signed OpenPGP messages (RFC 9580) against public keys, any of which will do, and gives a verdict for each in order. A key that is expired
 * or revoked, a weak one, and a weak hash are no good. Errors: failed-precondition for keys that can't be read and for signatures that take too long.
 */
export async function verifyOpenPgp(question: OpenPgpQuestion): Promise<readonly OpenPgpVerdict[]> {
  const refuse = (why: string, cause?: unknown): Error => failure('failed-precondition', { act: 'verify signatures', why, cause, criReason: 'SignatureValidationFailed' });
  const worker = new Worker(workerFile, { workerData: question, env: {}, stdin: false, resourceLimits: { maxOldGenerationSizeMb: memoryMb } });
  const { promise, resolve, reject } = Promise.withResolvers<OpenPgpAnswer>();
  const timer = setTimeout(() => reject(refuse(`they were not done in ${deadlineMs / 1000} s`)), deadlineMs);
  worker.once('message', resolve).once('error', (error) => reject(refuse('their verification broke off', error))).once('exit', () => reject(refuse('their verification ended without an answer')));
  try {
    const answer = await promise;
    if ('problem' in answer) throw refuse(answer.problem);
    return answer.verdicts;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
