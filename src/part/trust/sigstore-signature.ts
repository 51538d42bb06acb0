/**
 * Signatures as `cosign sign --key` makes them: an image beside the signed one, at the tag `sha256-<hex>.sig` of the same repository, whose layers are
 * what was signed and whose annotations hold the signatures (cosign's SIGNATURE_SPEC).
 */
import { createPublicKey, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { hexOf, isDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { ForeignValue } from '../../base/foreign-value.ts';
import { mostSignatures } from './signature-limits.ts';
import { parseStrictJson } from './strict-json.ts';

/** A signature that the attachments of an image announce. */
export interface SigstoreAttachment {
  /** Of what was signed, which is a blob of the repository. */
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  /** In base64. */
  readonly signature: string;
}

export interface SigstoreSignature {
  readonly payload: Uint8Array;
  readonly signature: string;
}

const payloadType = 'application/vnd.dev.cosign.simplesigning.v1+json';
const signatureAnnotation = 'dev.cosignproject.cosign/signature';

/** The tag under which a manifest's attachments are. */
export function attachmentTag(digest: Digest): string {
  return `sha256-${hexOf(digest)}.sig`;
}

/** Reads the manifest of the attachments; attestations and the like among them are passed over. Throws an Error that says what is wrong. */
export function parseAttachments(manifest: Uint8Array): SigstoreAttachment[] {
  const layers = new ForeignValue(parseStrictJson(new TextDecoder('utf-8', { fatal: true }).decode(manifest))).members().get('layers').items();
  const signatures = layers.filter((layer) => layer.members().get('mediaType').text() === payloadType);
  if (signatures.length > mostSignatures) throw new Error(`there are ${signatures.length} signatures, more than ${mostSignatures}`);
  return signatures.map((layer) => {
    const fields = layer.members();
    const digest = fields.get('digest');
    if (!isDigest(digest.text())) throw digest.wants('a sha256 digest');
    return {
      mediaType: payloadType,
      digest: digest.text() as Digest,
      size: fields.get('size').integer(0, Number.MAX_SAFE_INTEGER),
      signature: fields.get('annotations').members().get(signatureAnnotation).textOr(''),
    };
  });
}

/** Reads a public key in PEM. A private key or a certificate is none. Throws an Error that says why it can't be used. */
export function readPublicKey(pem: Uint8Array): KeyObject {
  const text = Buffer.from(pem).toString('latin1');
  if (!/^-----BEGIN (?:RSA )?PUBLIC KEY-----/m.test(text) || /-----BEGIN (?!(?:RSA )?PUBLIC KEY-----)/.test(text)) throw new Error('it is not a public key in PEM');
  const key = createPublicKey(text);
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const usable = key.asymmetricKeyType === 'ed25519'
    || (key.asymmetricKeyType === 'ec' && curves.includes(namedCurve ?? ''))
    || (key.asymmetricKeyType === 'rsa' && modulusLength >= leastRsaBits);
  if (!usable) throw new Error(`a key of the kind ${key.asymmetricKeyType} ${namedCurve ?? modulusLength} is not accepted: want ECDSA on P-256, P-384 or P-521, Ed25519, or RSA of ${leastRsaBits} bits or more`);
  return key;
}

const curves = ['prime256v1', 'secp384r1', 'secp521r1'];
const leastRsaBits = 2048;

/** True when one of the keys made the signature. The key alone decides the algorithm; the hash is sha256, as cosign's is. */
export function isSignedByOne({ payload, signature }: SigstoreSignature, keys: readonly KeyObject[]): boolean {
  const bytes = Buffer.from(signature, 'base64');
  return keys.some((key) => verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key, bytes));
}
