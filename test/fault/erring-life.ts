/** A life on a daemon at whose points calls fail or take their time: each call fails cleanly, and succeeds when it is made often enough. */
import type { Workload } from '../support/workload.ts';
import { assertNoTraces } from '../support/workload-traces.ts';
import { Life } from './life.ts';

export interface ErringFigures {
  /** What the daemon says it injected. */
  injected: number;
  /** Calls that failed on account of it. */
  failedCalls: number;
  /** Failures that do not say what happened, and calls that never succeed. */
  unclean: string[];
  lost: string[];
  leaks: string[];
}

const codes = ['ENOSPC', 'EMFILE', 'EIO'];

/**
 * One error before and one after each point. Not after a write to the store or what consists of one: a write that was made and is
 * reported as failed is what no file system and no database does.
 */
export function everyError(passed: ReadonlyMap<string, readonly string[]>): string {
  const points = [...new Set([...passed.values()].flat())];
  return points.flatMap((point, n) => {
    const error = `error(${codes[n % codes.length]})`;
    return [`${error} before ${point}`, ...(/^store\/|\/record$/.test(point) ? [] : [`${error} after ${point}`])];
  }).join('; ');
}

/** Everything takes a little longer, so that what runs beside it comes first for once. */
export const everyDelay = 'delay(2) before * every time; delay(2) after * every time';

/** More than there are points on the way of any call. */
const mostTries = 150;

export async function liveWith(node: Workload, faults: string): Promise<ErringFigures> {
  const { daemon } = node;
  const figures: ErringFigures = { injected: 0, failedCalls: 0, unclean: [], lost: [], leaks: [] };
  const life = await Life.prepare(node, { userNamespace: true });
  const before = daemon.log().length;
  await daemon.restart(faults);
  for (let tries = 0; life.next !== undefined && tries < mostTries; tries++) {
    const call = life.next;
    try {
      await life.goOn();
      tries = 0;
    } catch (error) {
      figures.failedCalls++;
      if (!/asked for by GANTRY_FAULTS/.test(String(error))) figures.unclean.push(`${call}: ${String(error)}`);
      await life.assertNothingLost().catch((lost: unknown) => figures.lost.push(`after ${call} failed with ${String(error)}: ${String(lost)}`));
    }
  }
  if (life.next !== undefined) figures.unclean.push(`${life.next} does not succeed`);
  figures.injected = daemon.log().slice(before).split('"fault injected"').length - 1;
  await daemon.restart();
  await assertNoTraces(daemon).catch((error: unknown) => figures.leaks.push(String(error)));
  return figures;
}
