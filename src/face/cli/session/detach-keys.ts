/** The keys that leave a session, as docker has them: `ctrl-p,ctrl-q`, typed one after the other. */
import { Transform, type TransformCallback } from 'node:stream';
import { UsageError, type Flag } from '../arguments.ts';

export const defaultDetachKeys = 'ctrl-p,ctrl-q';

/** Says what leaving does, which is not the same for every session. */
export function detachKeysFlag(effect: string): Flag {
  return { name: 'detach-keys', value: 'KEYS', help: `${effect} (default ${defaultDetachKeys}; '' for none)` };
}

/** The bytes that a terminal sends for `ctrl-p,ctrl-q` or `ctrl-],x`; none for an empty text. Anything else is a UsageError. */
export function parseDetachKeys(text: string): Buffer {
  if (text === '') return Buffer.alloc(0);
  return Buffer.from(text.split(',').map((key) => {
    const control = /^ctrl-([a-zA-Z@[\\\]^_])$/.exec(key)?.[1];
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
    if (/^[\x21-\x7e]$/.test(key)) return key.charCodeAt(0);
    throw new UsageError(`--detach-keys wants keys such as ${defaultDetachKeys} (a sign, or ctrl- and a letter or one of @[\\]^_), not ${JSON.stringify(text)}`);
  }));
}

/** Passes on what is typed but for the keys, after which nothing more comes. The beginning of the keys is held back until the next byte tells. */
export class DetachKeys extends Transform {
  readonly #keys: Buffer;
  readonly #onDetach: () => void;
  #held: number[] = [];
  #detached = false;

  constructor(keys: Buffer, onDetach: () => void) {
    super();
    this.#keys = keys;
    this.#onDetach = onDetach;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    const through: number[] = [];
    for (const byte of chunk) {
      if (this.#detached) break;
      this.#held.push(byte);
      while (!this.#held.every((one, i) => one === this.#keys[i])) through.push(this.#held.shift()!);
      if (this.#held.length === this.#keys.length) this.#detach();
    }
    done(null, Buffer.from(through));
  }

  override _flush(done: TransformCallback): void {
    done(null, this.#detached ? undefined : Buffer.from(this.#held));
  }

  #detach(): void {
    this.#detached = true;
    this.#onDetach();
  }
}
