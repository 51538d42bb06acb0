/** What an endpoint is: a route and what it answers. */
import type { DockerState } from './docker-state.ts';

export type Answer =
  | { readonly kind: 'json'; readonly document: unknown }
  | { readonly kind: 'text'; readonly text: string; readonly headers?: Readonly<Record<string, string>> }
  /** Sent piece by piece, no faster than the client reads. */
  | { readonly kind: 'stream'; readonly type: string; readonly pieces: AsyncIterable<Uint8Array | string> };

export interface DockerCall extends DockerState {
  /** A `{…}` of the route. */
  param(name: string): string;
  readonly query: URLSearchParams;
  /** The minor number of the API version that the client asked for: 44 of `/v1.44`. */
  readonly apiVersion: number;
  /** Aborted when the client went away or the daemon stops. */
  readonly signal: AbortSignal;
}

export interface Endpoint {
  /** `GET /containers/{id}/json`; `{name…}` takes slashes too. HEAD goes wherever GET does. */
  readonly route: string;
  /** Failures are GantryErrors. */
  answer(call: DockerCall): Promise<Answer> | Answer;
}

export function json(document: unknown): Answer {
  return { kind: 'json', document };
}
