import { randomBytes } from 'node:crypto';
import { failure } from '../../base/errors.ts';

/** What a client may do with its streams, checked and admitted by the engine; ids are complete. */
export type Admitted = AdmittedExec | AdmittedAttach | AdmittedPortForward;

/** Which streams the client will open. */
export interface WantedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Sizes of the client's terminal come too. */
  readonly tty: boolean;
}

export interface AdmittedExec extends WantedStreams {
  readonly kind: 'exec';
  readonly containerId: string;
  readonly command: readonly string[];
}

export interface AdmittedAttach extends WantedStreams {
  readonly kind: 'attach';
  readonly containerId: string;
  /** How the container was made, which decides what there is to be joined to. */
  readonly container: { readonly tty: boolean; readonly stdin: boolean };
}

export interface AdmittedPortForward {
  readonly kind: 'portforward';
  readonly podId: string;
  /** Those that the request named; SPDY clients name theirs stream by stream. */
  readonly ports: readonly number[];
}

/** As long as the kubelet's own server gives its tokens. */
export const ticketLifeMs = 60_000;
/** 128 bits, as URL-safe text. */
const tokenBytes = 16;

interface Ticket {
  readonly admitted: Admitted;
  readonly expires: number;
}

/**
 * Single-use tickets for sessions: each admits one connection, within a minute. Tickets that nobody used and sessions that go on share one
 * limit, so that neither those who ask and never come nor those who never leave use up the daemon.
 */
export class Tickets {
  readonly #most: number;
  readonly #now: () => number;
  /** In the order of their expiry. */
  readonly #waiting = new Map<string, Ticket>();
  #inUse = 0;

  constructor({ most, now = () => performance.now() }: { most: number; now?: () => number }) {
    this.#most = most;
    this.#now = now;
  }

  /** Tickets that can still be used. */
  get waiting(): number {
    this.#expire();
    return this.#waiting.size;
  }

  get inUse(): number {
    return this.#inUse;
  }

  /** A new path, `exec/TOKEN`; with as many tickets and sessions as there may be, resource-exhausted. */
  issue(admitted: Admitted): string {
    this.#expire();
    if (this.#waiting.size + this.#inUse >= this.#most) {
      const why = `${this.#inUse} go on and ${this.#waiting.size} are about to, which is all that streaming.max_sessions allows; end some or try again in a minute`;
      throw failure('resource-exhausted', { act: 'open stream session', why });
    }
    const path = `${admitted.kind}/${randomBytes(tokenBytes).toString('base64url')}`;
    this.#waiting.set(path, { admitted, expires: this.#now() + ticketLifeMs });
    return path;
  }

  /** What the URL's path (`exec/TOKEN`) was issued for, once; undefined for one that was used, is too old, or never was. */
  redeem(url: string): Admitted | undefined {
    this.#expire();
    const path = pathOf(url);
    const ticket = this.#waiting.get(path);
    if (ticket === undefined) return undefined;
    this.#waiting.delete(path);
    this.#inUse++;
    return ticket.admitted;
  }

  /** Whether a ticket waits there; it can be used still. */
  knows(url: string): boolean {
    this.#expire();
    return this.#waiting.has(pathOf(url));
  }

  /** The session of a redeemed ticket is over. */
  giveBack(): void {
    this.#inUse--;
  }

  /** None of those that wait can be used any more. */
  revokeAll(): void {
    this.#waiting.clear();
  }

  #expire(): void {
    for (const [path, { expires }] of this.#waiting) {
      if (expires > this.#now()) return;
      this.#waiting.delete(path);
    }
  }
}

/** Without the slash in front and the query. */
function pathOf(url: string): string {
  return url.replace(/^\//, '').replace(/\?.*$/s, '');
}
