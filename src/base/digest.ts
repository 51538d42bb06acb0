/** Content digests as parsed values: a string that came from outside is never used in a path before it went through here. */
import { createHash } from 'node:crypto';
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

/** The sha256 digest of some content; of a text in UTF-8. */
export function digestOf(content: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
}

/** What a layer is called together with all those below it, lowest first: its chain id (OCI image-spec, config.md "Layer ChainID"). */
export function chainIdsOf(diffIds: readonly Digest[]): Digest[] {
  let below: Digest | undefined;
  return diffIds.map((diffId) => (below = below === undefined ? diffId : digestOf(`${below} ${diffId}`)));
}

/** The 64 hex digits: safe as one path element. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
