import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { SecureVersion } from 'node:tls';
import { failure, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';

export interface TlsSettings {
  readonly certFile: string;
  readonly keyFile: string;
  readonly minVersion: SecureVersion;
}

export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly minVersion: SecureVersion;
}

/** A certificate with its key in two files that somebody renews. Files that can't be used are failed-precondition when they are first read. */
export class TlsFiles {
  readonly #settings: TlsSettings;
  readonly #log: Logger;
  #seen = '';

  constructor(settings: TlsSettings, log: Logger) {
    this.#settings = settings;
    this.#log = log;
  }

  async read(): Promise<TlsMaterial> {
    const { certFile, keyFile, minVersion } = this.#settings;
    this.#seen = await this.#look();
    try {
      const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
      createSecureContext({ cert, key, minVersion });
      return { cert, key, minVersion };
    } catch (error) {
      throw failure('failed-precondition', { act: 'read certificate', object: `${certFile} with key ${keyFile}`, cause: error });
    }
  }

  /** The new certificate if the files changed since they were looked at; undefined else, and when they can't be used, which is logged once. */
  async readIfChanged(): Promise<TlsMaterial | undefined> {
    const state = await this.#look();
    if (state === this.#seen) return undefined;
    this.#seen = state;
    try {
      const material = await this.read();
      this.#log.info('new certificate for streams', { certificate: this.#settings.certFile });
      return material;
    } catch (error) {
      this.#log.warn('streams go on with the certificate as it was', { error: messageOf(error) });
      return undefined;
    }
  }

  /** What tells one state of the files from another; renewal replaces files, or the link to their folder. */
  async #look(): Promise<string> {
    const states = await Promise.all([this.#settings.certFile, this.#settings.keyFile].map(async (file) => {
      const state = await stat(file, { bigint: true }).catch(() => undefined);
      return state && `${state.dev}:${state.ino}:${state.size}:${state.mtimeNs}`;
    }));
    return states.join(' ');
  }
}
