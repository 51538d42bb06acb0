/** Who uses the Docker API, so that each can be moved off it: which program, in which pod or service, and what it asks for. */
import type { Logger } from '../../base/log.ts';
import { messageOf } from '../../base/errors.ts';
import type { Engine } from '../../engine/engine.ts';
import type { DockerClient } from '../../gen/admin.ts';
import { nowNs } from './moments.ts';

/** Who connected, as the kernel says. */
export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly program: string;
  readonly cgroup: string;
}

/** A request in the terms of this record. */
export interface ClientRequest {
  /** `GET /containers/json`: one of the endpoints that there are, whatever the path. */
  readonly endpoint: string;
  readonly refused: boolean;
  readonly userAgent: string;
}

/** More than a node ever has; of a thousand and one the one that was not seen for the longest time is forgotten. */
const mostClients = 1000;
const longestUserAgent = 128;

type Place = Pick<DockerClient, 'pod' | 'container' | 'service'>;
type ClientRecord = Omit<DockerClient, 'endpoints'> & { readonly endpoints: Map<string, { requests: bigint; refused: bigint }> };

export class DockerClients {
  readonly #engine: Engine;
  readonly #log: Logger;
  /** By what they are, the one that was seen last at the end. */
  readonly #clients = new Map<string, ClientRecord>();

  constructor({ engine, log }: { readonly engine: Engine; readonly log: Logger }) {
    this.#engine = engine;
    this.#log = log;
  }

  /** Those since the daemon started, the one that was seen last first. */
  list(): DockerClient[] {
    return [...this.#clients.values()].reverse().map((client) => ({ ...client, endpoints: [...client.endpoints].map(([endpoint, counts]) => ({ endpoint, ...counts })) }));
  }

  /** What `counted` takes for this connection. Never fails: a client whose place is not found is recorded without it. */
  async identify(peer: Peer): Promise<Peer & Place> {
    try {
      return { ...peer, ...await this.#placeOf(peer.cgroup) };
    } catch (error) {
      this.#log.debug('the pod of a client of the Docker API could not be found', { pid: peer.pid, error: messageOf(error) });
      return { ...peer, ...nowhere };
    }
  }

  counted(client: Peer & Place, { endpoint, refused, userAgent }: ClientRequest): void {
    const key = JSON.stringify([client.program, client.uid, client.pod, client.container, client.service]);
    const record = this.#clients.get(key) ?? this.#add(client, userAgent);
    this.#clients.delete(key);
    this.#clients.set(key, record);
    Object.assign(record, { lastPid: client.pid, lastSeen: nowNs(), userAgent: plain(userAgent), requests: record.requests + 1n, refused: record.refused + (refused ? 1n : 0n) });
    const counts = record.endpoints.get(endpoint) ?? { requests: 0n, refused: 0n };
    record.endpoints.set(endpoint, { requests: counts.requests + 1n, refused: counts.refused + (refused ? 1n : 0n) });
  }

  #add({ program, uid, pod, container, service, pid }: Peer & Place, userAgent: string): ClientRecord {
    if (this.#clients.size >= mostClients) this.#clients.delete(this.#clients.keys().next().value!);
    this.#log.info('a client uses the Docker API: gantry docker-clients lists all', { program, pid, uid, pod, container, service, userAgent: plain(userAgent) });
    return { program, uid, pod, container, service, userAgent: '', lastPid: pid, firstSeen: nowNs(), lastSeen: 0n, requests: 0n, refused: 0n, endpoints: new Map() };
  }

  /** Cgroups of containers and pods have their ids in their names. */
  async #placeOf(cgroup: string): Promise<Place> {
    const service = cgroup.split('/').findLast((name) => name.endsWith('.service')) ?? '';
    const ids = [...cgroup.matchAll(/[0-9a-f]{64}/g)].map(([id]) => id);
    for (const id of ids) {
      const [container] = await this.#engine.containers.list({ id, state: undefined, podSandboxId: '', labelSelector: {} });
      const [pod] = await this.#engine.pods.list({ id: container?.podSandboxId ?? id, state: undefined, labelSelector: {} });
      if (pod !== undefined) return { service: '', pod: `${pod.metadata?.namespace}/${pod.metadata?.name}`, container: container?.metadata?.name ?? '' };
    }
    return { ...nowhere, service };
  }
}

const nowhere: Place = { pod: '', container: '', service: '' };

/** The client's own word: short, and of characters that no terminal acts upon. */
function plain(userAgent: string): string {
  return userAgent.replace(/[^\x20-\x7e]/g, '?').slice(0, longestUserAgent);
}
