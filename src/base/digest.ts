/** Content digests as parsed values: a string that came from outside is never used in a path before it went through here. */
import { failure } from './errors.ts';

/** `sha256:` and 64 lower-case hex digits. */
export type Digest = string & { readonly __brand: 'Digest' };

const form = /^sha256:[0-9a-f]{64}$/;

/** Parses a digest (OCI image-spec, descriptor.md "Digests"); anything but sha256 in canonical form is invalid-argument. */
export function parseDigest(text: string): Digest {
  if (!form.test(text)) {
    throw failure('invalid-argument', { act: 'parse digest', object: JSON.stringify(text.slice(0, 100)), why: 'want sha256: and 64 lower-case hex digits' });
  }
  return text as Digest;
}

export function isDigest(text: string): text is Digest {
  return form.test(text);
}

/** The 64 hex digits: safe as one path element. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
