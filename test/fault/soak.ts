/**
 * The soak: several lives at once, over and over, on a daemon that is killed, fails and dawdles at points that chance chooses.
 * Whatever was promised to each life is checked after every interruption, and in the end nothing may be left.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/base/errors.ts';
import { startWorkload, type Workload } from '../support/workload.ts';
import { assertNoTraces } from '../support/workload-traces.ts';
import { liveOn, type LivesFigures } from './live-on.ts';
import type { Random } from './random.ts';

export interface SoakFigures extends LivesFigures {
  kills: number;
  faultsInjected: number;
  leaks: string[];
}

export interface SoakOptions {
  readonly minutes: number;
  readonly random: Random;
  /** Lives at the same time. */
  readonly atOnce: number;
  readonly print: (line: string) => void;
}

/** In the daemon's log. Kills are counted where they are noticed. */
const toldFault = /"fault injected","act":"(?!kill|torn)/g;

/** How long each daemon serves, at most. */
const reignMs = 6000;

export async function soak({ minutes, random, atOnce, print }: SoakOptions): Promise<SoakFigures> {
  const figures: SoakFigures = { lives: 0, pods: 0, containers: 0, kills: 0, faultsInjected: 0, retries: 0, stuck: [], lost: [], leaks: [] };
  const node = await startWorkload();
  try {
    const until = Date.now() + minutes * 60_000;
    const workers = Array.from({ length: atOnce }, async (_, n) => {
      while (Date.now() < until) await liveOn(node, figures, { userNamespace: n % 2 === 1 });
    });
    const trouble = makeTrouble(node, { figures, random, until, print });
    await trouble;
    await Promise.all(workers);
    await node.daemon.restart();
    await assertNoTraces(node.daemon).catch((error: unknown) => figures.leaks.push(messageOf(error)));
    figures.faultsInjected = figures.kills + (node.daemon.log().match(toldFault)?.length ?? 0);
    return figures;
  } finally {
    await node.stop();
  }
}

/** Daemon after daemon, each with a plan of its own, until the time is over; the last has none. */
async function makeTrouble({ daemon }: Workload, { figures, random, until, print }: { figures: SoakFigures; random: Random; until: number; print: (line: string) => void }): Promise<void> {
  while (Date.now() < until) {
    const plan = randomPlan(random);
    print(`${new Date().toISOString().slice(11, 19)} ${figures.lives} lives, ${figures.kills} kills: ${plan}`);
    await daemon.restart(plan).catch(() => {}); // killed while it recovers
    const end = Date.now() + 500 + random.below(reignMs);
    while (daemon.alive && Date.now() < end) await sleep(20);
    if (!daemon.alive || random.below(2) === 0) {
      figures.kills++;
      await daemon.kill9();
    }
  }
  await daemon.restart();
}

function randomPlan(random: Random): string {
  const one = (): string => {
    const when = random.pick(['before', 'after']);
    return random.pick([
      () => `kill ${when} * #${1 + random.below(400)}`,
      () => `kill ${when} * #${1 + random.below(20)} at start`,
      () => `error(${random.pick(['ENOSPC', 'EMFILE', 'EIO'])}) before * #${1 + random.below(100)}`,
      () => `error(EIO) after ${random.pick(['make', 'undo', 'program', 'layer'])}/* #${1 + random.below(20)}`,
      () => `delay(${1 + random.below(300)}) ${when} * #${1 + random.below(100)}`,
    ])();
  };
  return Array.from({ length: 1 + random.below(5) }, one).join('; ');
}
