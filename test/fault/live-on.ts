/** Lives that are led to their end, whatever happens to the daemon meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/base/errors.ts';
import { eventually, type Workload } from '../support/workload.ts';
import { Life } from './life.ts';

export interface LivesFigures {
  lives: number;
  pods: number;
  containers: number;
  retries: number;
  /** Calls that did not come through however often they were made. */
  stuck: string[];
  lost: string[];
}

/** How long a call is made again and again before it counts as stuck. */
const patienceMs = 120_000;

/** One life, in which each call is made until it succeeds. */
export async function liveOn(node: Workload, figures: LivesFigures, { userNamespace }: { userNamespace: boolean }): Promise<void> {
  const life = await eventually(() => Life.prepare(node, { userNamespace }), patienceMs);
  let until = Date.now() + patienceMs;
  while (life.next !== undefined) {
    const call = life.next;
    try {
      await life.goOn();
      if (call === 'RunPodSandbox') figures.pods++;
      if (call.startsWith('CreateContainer')) figures.containers++;
      until = Date.now() + patienceMs;
    } catch (error) {
      if (Date.now() > until) return void figures.stuck.push(`${call}: ${messageOf(error)}`);
      figures.retries++;
      await sleep(50);
      await life.assertNothingLost().catch((lost: unknown) => {
        if (isPromiseBroken(lost)) figures.lost.push(`after ${call}: ${messageOf(lost)}`);
      });
    }
  }
  figures.lives++;
}

/** Not when the daemon could not be asked. */
function isPromiseBroken(error: unknown): boolean {
  return error instanceof Error && error.name === 'AssertionError';
}
