/** What must not be removed just now although no image record needs it: layers and documents of pulls in flight. */
import type { Digest } from '../../base/digest.ts';

export class Holds {
  readonly #counts = new Map<Digest, number>();

  /** Holds these digests until the returned function is called. */
  hold(digests: Iterable<Digest>): () => void {
    const held = [...digests];
    for (const digest of held) this.#counts.set(digest, (this.#counts.get(digest) ?? 0) + 1);
    return () => {
      for (const digest of held.splice(0)) {
        const left = (this.#counts.get(digest) ?? 1) - 1;
        if (left === 0) this.#counts.delete(digest);
        else this.#counts.set(digest, left);
      }
    };
  }

  has(digest: Digest): boolean {
    return this.#counts.has(digest);
  }
}
