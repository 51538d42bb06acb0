/** What is asked for once of each thing and never changes: read when it is first wanted, forgotten with the thing. */
import { someAtOnce } from '../../base/some-at-once.ts';

export class Remembered<T> {
  readonly #read: (id: string) => Promise<T>;
  readonly #known = new Map<string, T>();

  /** `read` may throw: then it is asked again the next time. */
  constructor(read: (id: string) => Promise<T>) {
    this.#read = read;
  }

  async of(id: string): Promise<T> {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const fresh = await this.#read(id);
    this.#known.set(id, fresh);
    return fresh;
  }

  /** Of each that can be read; all others, which are no more, are forgotten. */
  async ofAll(ids: readonly string[]): Promise<ReadonlyMap<string, T>> {
    const wanted = new Set(ids);
    for (const id of this.#known.keys()) if (!wanted.has(id)) this.#known.delete(id);
    await someAtOnce(wanted, async (id) => void await this.of(id).catch(() => undefined));
    return this.#known;
  }
}
