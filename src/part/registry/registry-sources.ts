/**
 * All hosts that may have an image, as one: each question goes to the first that answers it. A mirror that is down, says 404, refuses,
 * or lies is passed over, and its failure is told only when nobody has what was asked for.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { failure, GantryError, isKind, kindOf, messageOf } from '../../base/errors.ts';
import type { HostHealth } from './host-health.ts';
import type { Descriptor } from './manifest.ts';
import type { Patience } from './pace.ts';
import type { PullPlan, PullSource } from './pull-plan.ts';
import { RegistrySession } from './registry-session.ts';
import type { OpenBlob, ReceivedManifest } from './registry-session.ts';
import type { HostRules } from './host-rules.ts';

export interface SourcesDeps {
  readonly plan: PullPlan;
  readonly health: HostHealth;
  /** For hosts that a source redirects to. */
  readonly ruleFor: HostRules;
  readonly patience: Patience;
}

interface Asked {
  readonly source: PullSource;
  readonly session: RegistrySession;
}

/** Pauses before all hosts are asked for a manifest again, when nothing but the network stood in the way. Downloads have their own. */
const manifestPausesMs = [500, 2000];

export class RegistrySources {
  /** The registry's name in the image's reference. */
  readonly host: string;
  readonly patience: Patience;
  readonly #all: readonly Asked[];
  readonly #health: HostHealth;
  /** Sources that sent something else than was asked for, by digest. */
  readonly #liars = new Map<Digest, Set<RegistrySession>>();
  readonly #lastToSend = new Map<Digest, RegistrySession>();

  constructor({ plan, health, ruleFor, patience }: SourcesDeps) {
    this.host = plan.reference.host;
    this.patience = patience;
    this.#health = health;
    // Only who has nobody behind him is worth waiting for.
    this.#all = plan.sources.map((source, index) => ({
      source,
      session: new RegistrySession({ endpoint: source.endpoint, credentials: source.credentials, hostRules: ruleFor, patience, waitsWhenLimited: index === plan.sources.length - 1 }),
    }));
  }

  /** Closes the connections; downloads still running fail. */
  close(): void {
    for (const { session } of this.#all) session.close();
  }

  /** A manifest or index by tag or digest. Errors: those of RegistrySession.getManifest, of all hosts where there are several. */
  async getManifest(tagOrDigest: string, signal: AbortSignal): Promise<ReceivedManifest> {
    const capable = this.#all.filter(({ source }) => (isDigest(tagOrDigest) ? source.serves.digests : source.serves.tags));
    return await this.#firstOf(capable, { act: `get manifest ${tagOrDigest}`, pausesMs: manifestPausesMs, signal }, (session) => session.getManifest(tagOrDigest, signal));
  }

  /** Opens a blob from byte `offset` on, at the first host that has it and has not lied about it. */
  async openBlob(blob: Descriptor, offset: number, signal: AbortSignal): Promise<OpenBlob> {
    const liars = this.#liars.get(blob.digest);
    const capable = this.#all.filter(({ source, session }) => source.serves.digests && liars?.has(session) !== true);
    return await this.#firstOf(capable, { act: `get blob ${blob.digest}`, pausesMs: [], signal }, async (session) => {
      const opened = await session.openBlob(blob, offset, signal);
      this.#lastToSend.set(blob.digest, session);
      return opened;
    });
  }

  /** A download broke off: whoever was sending rests while others are there. */
  brokeOff(digest: Digest): void {
    const asked = this.#all.find(({ session }) => session === this.#lastToSend.get(digest));
    if (asked !== undefined) this.#health.failed(asked.source.endpoint.address);
  }

  /**
   * Does work that downloads a blob and checks it. When it fails by what came, it is done again with the next host, and the last
   * host's failure is the one thrown.
   */
  async verified<T>(digest: Digest, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const isOurs = ['cancelled', 'resource-exhausted', 'internal'].includes(kindOf(error)); // and says nothing about the host
        if (isOurs || signal.aborted || !this.#distrust(digest)) throw error;
      }
    }
  }

  /** What came as this blob was something else. Tells whether there is another host to ask. */
  #distrust(digest: Digest): boolean {
    const liar = this.#lastToSend.get(digest);
    if (liar === undefined) return false;
    const liars = this.#liars.get(digest) ?? new Set();
    this.#liars.set(digest, liars.add(liar));
    return this.#all.some(({ source, session }) => source.serves.digests && !liars.has(session));
  }

  async #firstOf<T>(capable: readonly Asked[], { act, pausesMs, signal }: { act: string; pausesMs: readonly number[]; signal: AbortSignal }, ask: (session: RegistrySession) => Promise<T>): Promise<T> {
    if (capable.length === 0) throw failure('failed-precondition', { act, why: `none of the hosts for ${this.host} may be asked for it` });
    for (const pauseMs of [...pausesMs, undefined]) {
      const failures = new Map<Asked, unknown>();
      for (const asked of this.#health.order(capable, ({ source }) => source.endpoint.address)) {
        try {
          const answer = await ask(asked.session);
          this.#health.succeeded(asked.source.endpoint.address);
          return answer;
        } catch (error) {
          if (signal.aborted || isKind(error, 'cancelled')) throw error;
          if (isKind(error, 'unavailable')) this.#health.failed(asked.source.endpoint.address);
          failures.set(asked, error);
        }
      }
      const errors = [...failures.values()];
      if (pauseMs === undefined || !errors.every((error) => isPassing(error))) throw allFailed(act, failures);
      await sleep(pauseMs, undefined, { signal }).catch(() => {
        throw failure('cancelled', { act });
      });
    }
    throw failure('internal', { act, why: 'no host was asked' });
  }
}

/** A fault of the network that may be over in a moment. What was sent wrong will be sent wrong again. */
function isPassing(error: unknown): boolean {
  return error instanceof GantryError && error.kind === 'unavailable' && error.criReason === 'RegistryUnavailable';
}

/**
 * One host: its own failure. Several: what each said, with the kind of the last one asked in the plan's order, as that is the registry
 * itself; but when a host could not be asked at all, nobody knows whether the image is there: unavailable.
 */
function allFailed(act: string, failures: ReadonlyMap<Asked, unknown>): unknown {
  const [first, ...others] = failures;
  if (first !== undefined && others.length === 0) return first[1];
  const errors = [...failures.values()];
  const told = [...failures].map(([{ source }, error]) => `${source.endpoint.address} (${source.because}): ${whyOf(error)}`).join('; ');
  const unreachable = errors.find((error) => isKind(error, 'unavailable'));
  const kind = unreachable === undefined ? kindOf(errors.at(-1)) : 'unavailable';
  const { criReason } = (unreachable ?? {}) as GantryError;
  return failure(kind, { act, why: `none of ${failures.size} hosts has it: ${told}`, cause: errors.at(-1), ...(criReason === undefined ? {} : { criReason }) });
}

function whyOf(error: unknown): string {
  return error instanceof GantryError && error.why !== undefined ? error.why : messageOf(error);
}
