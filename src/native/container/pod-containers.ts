/** What the pod floor asks of the containers of one pod. */
import type { CallContext } from '../../engine/engine.ts';
import type { ContainerStats, ContainerStatus } from '../../gen/cri.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';
import { containerStats } from './container-stats.ts';
import { stateWord } from './container-state.ts';
import { containerStatus } from './container-status.ts';
import { removeContainer } from './remove-container.ts';
import { killContainer } from './stop-container.ts';

export class PodContainers {
  readonly #deps: ContainerDeps;

  constructor(deps: ContainerDeps) {
    this.#deps = deps;
  }

  /**
   * Kills every container of the pod that still lives, all at once, and ends those in the making. For a pod that takes no new ones.
   * The first failure is thrown at the end.
   */
  async killAllOf(podId: string): Promise<void> {
    const living = this.#of(podId).filter((record) => record.exit === undefined);
    await allSettled([this.#deps.making.endAllOf(podId), ...living.map((record) => killContainer(this.#deps, record))]);
  }

  /** Removes every container of the pod, killing it first. */
  async removeAllOf(podId: string, ctx: CallContext): Promise<void> {
    await allSettled(this.#of(podId).map((record) => this.#deps.removing.run(record.id, () => removeContainer(this.#deps, record.id, ctx))));
  }

  lives(podId: string): boolean {
    return this.#of(podId).some((record) => record.exit === undefined);
  }

  statusesOf(podId: string): ContainerStatus[] {
    return this.#of(podId).map(containerStatus);
  }

  async statsOf(podId: string): Promise<ContainerStats[]> {
    return await Promise.all(this.#of(podId).filter((record) => stateWord(record) === 'running').map((record) => containerStats(this.#deps, record)));
  }

  #of(podId: string): ContainerRecord[] {
    return this.#deps.records.all().filter((record) => record.podId === podId);
  }
}

/** All are tried; then the first failure is thrown. */
async function allSettled(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
