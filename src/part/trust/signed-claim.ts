/** What a signature says, once it is known who made it (containers-signature(5); cosign writes the same with a type of its own). */
import { isDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { ForeignValue } from '../../base/foreign-value.ts';
import { parseStrictJson } from './strict-json.ts';

export interface SignedClaim {
  /** Of the manifest that is signed. */
  readonly digest: Digest;
  /** The name that it is signed for, as it was written. */
  readonly reference: string;
}

export const claimTypes = { signedBy: 'atomic container signature', sigstoreSigned: 'cosign container image signature' } as const;

/** Reads what was signed, which must be a claim of this type and nothing else. Throws an Error that says what is wrong. */
export function parseClaim(signed: Uint8Array, type: string): SignedClaim {
  const claim = new ForeignValue(parseStrictJson(new TextDecoder('utf-8', { fatal: true }).decode(signed))).members(['critical', 'optional']);
  claim.get('optional').members();
  const critical = claim.get('critical').members(['type', 'image', 'identity']);
  if (critical.get('type').text() !== type) throw critical.get('type').wants(JSON.stringify(type));
  const digest = critical.get('image').members(['docker-manifest-digest']).get('docker-manifest-digest');
  if (!isDigest(digest.text())) throw digest.wants('a sha256 digest');
  return { digest: digest.text() as Digest, reference: critical.get('identity').members(['docker-reference']).get('docker-reference').text() };
}
