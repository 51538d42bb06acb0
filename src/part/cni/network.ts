/**
 * The node's pod network through CNI plugins: spec versions 0.3.0 to 1.1.0, the first valid configuration of a directory,
 * read anew whenever it changes. Pods of a runtime handler may have a directory of their own.
 */
import { during, failure, kindOf, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { Stages } from '../../base/stages.ts';
import { isNamespace } from '../../host/namespaces.ts';
import { AttachmentCache } from './attachment-cache.ts';
import type { AttachmentRecord, CachedAttachment } from './attachment-cache.ts';
import { argsText, validateKey } from './attachment.ts';
import type { Attachment, AttachmentKey } from './attachment.ts';
import { addChain, checkChain, delChain, gcChain, statusChain } from './chain.ts';
import type { Chain, CniCall } from './chain.ts';
import { podIps, readResult } from './cni-result.ts';
import type { CniResult, RawResult } from './cni-result.ts';
import { atLeast } from './cni-version.ts';
import type { CniVersion } from './cni-version.ts';
import { watchConf } from './conf-watcher.ts';
import { Lanes } from './lanes.ts';
import { leasedAttachments } from './leased-attachments.ts';
import { putBackAddresses } from './lost-addresses.ts';
import type { NetworkConfig, SkippedFile } from './network-config.ts';
import { NetworkSource } from './network-source.ts';
import { createPluginRunner, findPlugin } from './plugin-runner.ts';
import type { CniVerb, PluginRunner } from './plugin-runner.ts';
import { endStrayPlugins } from './stray-plugins.ts';
import { chooseVersion } from './version-choice.ts';
import type { VersionChoice } from './version-choice.ts';

export interface CniOptions {
  /** Where administrators and network add-ons put configurations; may appear later. */
  readonly confDir: string;
  /** The directories besides, that attachments may name at this time. */
  readonly otherConfDirs?: () => readonly string[];
  /** Where plugins are looked for, in order. */
  readonly binDirs: readonly string[];
  /** Of our own, on a disk that outlives a reboot: what an address is reserved with must be known after one. */
  readonly cacheDir: string;
  /** For each plugin execution. */
  readonly deadlineMs: number;
  readonly log: Logger;
}

export interface CniStatus {
  readonly ready: boolean;
  /** Why it is not ready, for people; empty when it is. */
  readonly message: string;
  readonly network: NetworkConfig | undefined;
  /** Files that stand before the network's in order but are not valid. */
  readonly skipped: readonly SkippedFile[];
}

export interface Cni {
  /**
   * Attaches a pod and returns the network's result. A plugin that fails ends it: what was done is undone by a DEL over the
   * list, and the first failure is thrown. Once begun it is not cancelled midway: an abort is heeded between plugins and
   * undoes. No configuration: unavailable. Attached already: already-exists. Kinds of failures: see `createPluginRunner`.
   */
  add(attachment: Attachment, call?: CniCall): Promise<CniResult>;
  /**
   * Detaches, with what ADD used; without the namespace when that is gone (do it before: the bridge plugin finds its
   * masquerading rules through the interface inside). Repeating is fine. A failed DEL is remembered and
   * can be tried again. An attachment that nothing is known of is success, after an attempt with the present configuration.
   */
  del(attachment: Attachment, call?: Pick<CniCall, 'stages'>): Promise<void>;
  /** Asks the plugins whether the attachment is still as ADD left it; throws what they find wrong. Never attached: not-found. Nothing to ask (before 0.4.0, or `disableCheck`): fine. */
  check(key: AttachmentKey, call?: Pick<CniCall, 'signal'>): Promise<void>;
  /** The addresses that the attachment was given, the primary first; none of an unknown one. */
  addresses(key: AttachmentKey): Promise<string[]>;
  /** Whether pods can be attached now, to the network of the node or of another directory. Callers at the same time share one answer; it takes at most some seconds. */
  status(confDir?: string): Promise<CniStatus>;
  /**
   * Detaches what is not valid any more and lets the plugins drop what they hold beyond it (GC, from 1.1.0, on networks whose
   * addresses come from host-local: there its leases tell of other users of the network, who keep theirs). `valid` is called
   * whenever something is about to be taken away, and must name every pod that owns an attachment or is about to make one.
   * Everything is tried; all failures are thrown as one at the end.
   */
  gc(valid: () => readonly AttachmentKey[]): Promise<void>;
  /** Reads the configuration again now. */
  reload(): Promise<void>;
  /** Stops watching the configuration. */
  close(): void;
}

/** Reads the configuration and begins to watch it. A missing or broken one is no failure: `status` tells. */
export async function createCni(options: CniOptions): Promise<Cni> {
  const client = new CniClient(options);
  const watcher = await watchConf({ directory: options.confDir, onChange: () => client.reload(), log: options.log });
  await client.reload();
  return Object.assign(client, { close: () => watcher.close() });
}

class CniClient implements Omit<Cni, 'close'> {
  readonly #options: CniOptions;
  readonly #cache: AttachmentCache;
  readonly #runPlugin: PluginRunner;
  readonly #lanes = new Lanes();
  readonly #versions = new WeakMap<NetworkConfig, Promise<VersionChoice>>();
  readonly #sources = new Map<string, NetworkSource>();
  readonly #asked = new SingleFlight<CniStatus>();

  constructor(options: CniOptions) {
    this.#options = options;
    this.#cache = new AttachmentCache(options.cacheDir);
    this.#runPlugin = createPluginRunner(options);
  }

  async add(attachment: Attachment, call: CniCall = {}): Promise<CniResult> {
    validateKey(attachment);
    argsText(attachment.args);
    return this.#lanes.inLane(attachment.containerId, () => this.#add(attachment, call));
  }

  async #add(attachment: Attachment, call: CniCall): Promise<CniResult> {
    await this.#undoInterrupted(attachment);
    const source = this.#source(attachment.confDir);
    const chain = await this.#chain(source);
    if (chain === undefined) throw failure('unavailable', { act: 'add to network', object: attachment.containerId, why: source.whyNone() });

    // A plugin that is missing would fail the undo as well: it must be found before the others are run.
    await this.#findPlugins(chain, 'ADD');
    const durable = await this.#cache.begin({ network: chain.network, version: chain.version, attachment });
    const [added, kept] = await Promise.allSettled([addChain(chain, attachment, call), durable()]);
    try {
      if (added.status === 'rejected') throw added.reason;
      if (kept.status === 'rejected') throw during(kept.reason, { act: 'record attachment', object: attachment.containerId });
      const result = readResult(added.value);
      await this.#cache.finish(attachment, added.value);
      return result;
    } catch (error) {
      await this.#undo(attachment);
      throw error;
    }
  }

  /** A daemon that was killed during ADD has left an intent. The spec forbids a second ADD without a DEL between. */
  async #undoInterrupted(attachment: Attachment): Promise<void> {
    const earlier = await this.#cache.read(attachment);
    if (earlier === undefined) return;
    if (earlier.result !== undefined) {
      throw failure('already-exists', { act: 'add to network', object: attachment.containerId, why: `${attachment.ifName} is attached to ${earlier.network.name} already; detach it first` });
    }
    await this.#delCached(earlier);
  }

  /** After a failed ADD. When this fails too, the intent stays for a later `del` or `gc`, and the first failure is the one to tell. */
  async #undo(attachment: Attachment): Promise<void> {
    try {
      await this.#del(attachment);
    } catch (error) {
      this.#options.log.warn('cannot undo a failed CNI ADD yet', { containerId: attachment.containerId, error: messageOf(error) });
    }
  }

  async del(attachment: Attachment, { stages }: Pick<CniCall, 'stages'> = {}): Promise<void> {
    validateKey(attachment);
    argsText(attachment.args);
    return this.#lanes.inLane(attachment.containerId, () => this.#del(attachment, stages));
  }

  async #del(attachment: Attachment, stages?: Stages): Promise<void> {
    const cached = await this.#cache.read(attachment);
    return cached === undefined ? this.#delUnknown(attachment, stages) : this.#delCached(cached, stages);
  }

  async #delCached(cached: CachedAttachment, stages?: Stages): Promise<void> {
    if (cached.result === undefined) await endStrayPlugins(cached.attachment.containerId);
    const chain: Chain = { network: cached.network, version: cached.version, runPlugin: this.#runPlugin };
    const attachment = await withLiveNamespace(cached.attachment);
    if (cached.result !== undefined && attachment.netnsPath !== '') this.#restore(attachment, cached.result);
    await delChain(chain, attachment, { prevResult: cached.result, stages });
    await this.#cache.remove(cached.attachment);
  }

  /** A DEL that has to do without is better than none. */
  #restore(attachment: Attachment, result: RawResult): void {
    try {
      putBackAddresses(attachment, podIps(readResult(result), attachment.ifName));
    } catch (error) {
      this.#options.log.warn('cannot put back the addresses of an interface before CNI DEL', { containerId: attachment.containerId, error: messageOf(error) });
    }
  }

  /** Detached before, most likely. But a cache can be lost, and then this still gives the pod's addresses back. */
  async #delUnknown(attachment: Attachment, stages?: Stages): Promise<void> {
    const chain = await this.#chain(this.#source(attachment.confDir));
    if (chain === undefined) return;
    try {
      await delChain(chain, await withLiveNamespace(attachment), { prevResult: undefined, stages });
    } catch (error) {
      this.#options.log.warn('CNI DEL of an unknown attachment failed', { containerId: attachment.containerId, error: messageOf(error) });
    }
  }

  async check(key: AttachmentKey, { signal }: Pick<CniCall, 'signal'> = {}): Promise<void> {
    validateKey(key);
    return this.#lanes.inLane(key.containerId, async () => {
      const cached = await this.#cache.read(key);
      if (cached?.result === undefined) throw failure('not-found', { act: 'check network', object: key.containerId, why: `${key.ifName} is not attached` });
      if (cached.network.disableCheck || !atLeast(cached.version, '0.4.0')) return;
      const chain: Chain = { network: cached.network, version: cached.version, runPlugin: this.#runPlugin };
      await checkChain(chain, cached.attachment, { prevResult: cached.result, signal });
    });
  }

  async addresses(key: AttachmentKey): Promise<string[]> {
    validateKey(key);
    const cached = await this.#cache.read(key);
    return cached?.result === undefined ? [] : podIps(readResult(cached.result), key.ifName);
  }

  status(confDir: string = this.#options.confDir): Promise<CniStatus> {
    return this.#asked.run(confDir, () => this.#status(this.#source(confDir)));
  }

  async #status(source: NetworkSource): Promise<CniStatus> {
    const chain = await this.#chain(source);
    const { network, skipped } = source.choice;
    if (chain === undefined) return { ready: false, message: source.whyNone(), network, skipped };
    try {
      await this.#findPlugins(chain, 'STATUS');
      if (atLeast(chain.version, '1.1.0')) await statusChain(chain);
      return { ready: true, message: '', network, skipped };
    } catch (error) {
      return { ready: false, message: messageOf(error), network, skipped };
    }
  }

  async gc(valid: () => readonly AttachmentKey[]): Promise<void> {
    const errors = await this.#delInvalid(valid);
    const { confDir, otherConfDirs } = this.#options;
    for (const directory of new Set([confDir, ...otherConfDirs?.() ?? []])) {
      const chain = await this.#chain(this.#source(directory));
      if (chain === undefined || !atLeast(chain.version, '1.1.0') || chain.network.disableGC) continue;
      errors.push(...await this.#lanes.alone(() => this.#gcPlugins(chain, valid)));
    }
    if (errors.length === 0) return;
    throw failure(kindOf(errors[0]), { act: 'collect garbage of the pod network', why: errors.map(messageOf).join('; '), cause: new AggregateError(errors) });
  }

  /** Plugins take away whatever is not named, others' attachments to the same network as well: so those are named, and where they cannot be known nothing is taken. */
  async #gcPlugins(chain: Chain, valid: () => readonly AttachmentKey[]): Promise<unknown[]> {
    const leased = await leasedAttachments(chain.network);
    if (leased === undefined) return [];
    const own = keysOnNetwork(chain.network.name, valid(), await this.#cache.all());
    return await gcChain(chain, [...own, ...leased.filter((key) => !includesKey(own, key))]);
  }

  /** DEL, with all that was remembered, does more than GC can, and works with plugins that have no GC. */
  async #delInvalid(valid: () => readonly AttachmentKey[]): Promise<unknown[]> {
    const errors: unknown[] = [];
    const all = await this.#cache.all();
    const known = valid();
    for (const { attachment } of all) {
      if (includesKey(known, attachment)) continue;
      await this.#lanes.inLane(attachment.containerId, async () => {
        const cached = await this.#cache.read(attachment);
        if (cached !== undefined && !includesKey(valid(), attachment)) await this.#delCached(cached);
      }).catch((error: unknown) => errors.push(error));
    }
    return errors;
  }

  async reload(): Promise<void> {
    await this.#source().reload();
  }

  #source(confDir: string = this.#options.confDir): NetworkSource {
    const source = this.#sources.get(confDir) ?? new NetworkSource({ confDir, isWatched: confDir === this.#options.confDir, log: this.#options.log });
    this.#sources.set(confDir, source);
    return source;
  }

  async #chain(source: NetworkSource): Promise<Chain | undefined> {
    const network = await source.network();
    if (network === undefined) return undefined;
    return { network, version: await this.#versionOf(network), runPlugin: this.#runPlugin };
  }

  async #versionOf(network: NetworkConfig): Promise<CniVersion> {
    const asked = this.#versions.get(network) ?? chooseVersion(network, this.#runPlugin);
    this.#versions.set(network, asked);
    const { version, settled } = await asked;
    if (!settled) this.#versions.delete(network);
    return version;
  }

  async #findPlugins({ network }: Chain, verb: CniVerb): Promise<void> {
    for (const { type } of network.plugins) await findPlugin({ verb, type, networkName: network.name }, this.#options.binDirs);
  }
}

async function withLiveNamespace(attachment: Attachment): Promise<Attachment> {
  return await isNamespace(attachment.netnsPath) ? attachment : { ...attachment, netnsPath: '' };
}

function includesKey(keys: readonly AttachmentKey[], { containerId, ifName }: AttachmentKey): boolean {
  return keys.some((key) => key.containerId === containerId && key.ifName === ifName);
}

/** The keys but for those known to be on another network: a plugin may drop what it holds for an attachment not named. */
function keysOnNetwork(name: string, keys: readonly AttachmentKey[], records: readonly AttachmentRecord[]): AttachmentKey[] {
  const elsewhere = records.filter(({ network }) => network.name !== name).map(({ attachment }) => attachment);
  return keys.filter((key) => !includesKey(elsewhere, key));
}
