import { failure } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { SessionStreams } from '../../engine/stream-engine.ts';
import { Attachment } from '../../part/oci/attachment.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerRecord } from './container-record.ts';
import { stateWord } from './container-state.ts';

/** How long the end of a container may take to be on record once its streams have ended. */
const endingMs = 2000;

/** The attached containers of this node. */
export class Attachments {
  readonly #deps: ContainerDeps;
  readonly #open = new Map<string, Attachment>();

  constructor(deps: ContainerDeps) {
    this.#deps = deps;
  }

  /** Joins a client to a running container's streams until they end. A monitor that ends before its container does: unavailable. */
  async join(record: ContainerRecord, streams: SessionStreams, ctx: CallContext): Promise<void> {
    checkAttach(record);
    await this.#of(record).join(streams, ctx.signal);
    if (!this.#runs(record) || await this.#deps.exits.wait(record.id, endingMs, ctx.signal) || !this.#runs(record) || ctx.signal.aborted) return;
    throw failure('unavailable', { act: 'attach to container', object: record.id, why: 'its monitor (conmon) has ended, and its streams with it, while it goes on running' });
  }

  /** Ends all sessions (unavailable) and takes leave of the containers' monitors. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((attachment) => attachment.close()));
  }

  #of(record: ContainerRecord): Attachment {
    const { id, config } = record;
    const open = this.#open.get(id);
    if (open !== undefined) return open;
    const { bundle } = containerPaths(this.#deps.roots, id);
    const made = new Attachment({ id, bundle, terminal: config.tty, stdin: config.stdin, stdinOnce: config.stdinOnce, onEnd: () => this.#open.delete(id) });
    this.#open.set(id, made);
    return made;
  }

  #runs({ id }: ContainerRecord): boolean {
    const now = this.#deps.records.get(id);
    return now !== undefined && stateWord(now) === 'running';
  }
}

/** Throws failed-precondition when the container does not run. */
export function checkAttach(record: ContainerRecord): void {
  const state = stateWord(record);
  if (state !== 'running') throw failure('failed-precondition', { act: 'attach to container', object: record.id, why: `it is ${state}, not running` });
}
