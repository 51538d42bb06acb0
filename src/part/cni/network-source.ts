import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../../base/log.ts';
import { chooseNetwork } from './network-config.ts';
import type { NetworkChoice, NetworkConfig } from './network-config.ts';

export interface NetworkSourceOptions {
  readonly confDir: string;
  /** True when somebody calls `reload` at every change of the directory; otherwise it is looked at each time that a network is wanted. */
  readonly isWatched: boolean;
  readonly log: Logger;
}

/** The network that a directory of configurations stands for: the first valid one by name. */
export class NetworkSource {
  readonly #options: NetworkSourceOptions;
  #choice: NetworkChoice = { network: undefined, skipped: [] };
  #loads = 0;
  #newestLoad = 0;

  constructor(options: NetworkSourceOptions) {
    this.#options = options;
  }

  /** What was found at the last look. */
  get choice(): NetworkChoice {
    return this.#choice;
  }

  /** The network of now. Where there was none a moment ago it looks again, for events about files take a moment. An equal one is the same object as before. */
  async network(): Promise<NetworkConfig | undefined> {
    if (!this.#options.isWatched || this.#choice.network === undefined) await this.reload();
    return this.#choice.network;
  }

  /** Reads the directory now. */
  async reload(): Promise<void> {
    const { confDir, log } = this.#options;
    const load = ++this.#loads;
    const choice = await chooseNetwork(confDir);
    if (load < this.#newestLoad) return;
    this.#newestLoad = load;
    // An equal choice keeps the old object, and with it the version that was settled for it.
    if (isDeepStrictEqual(choice, this.#choice)) return;
    this.#choice = choice;
    for (const { file, why } of choice.skipped) log.warn('CNI configuration skipped', { file, why });
    log.info('CNI configuration read', { network: choice.network?.name ?? 'none', file: choice.network?.file ?? confDir });
  }

  /** For people. */
  whyNone(): string {
    const reasons = this.#choice.skipped.map(({ file, why }) => `${file}: ${why}`);
    return [`there is no valid network configuration in ${this.#options.confDir}`, ...reasons].join('; ');
  }
}
