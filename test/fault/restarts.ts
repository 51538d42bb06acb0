/**
 * Restart under load: many pods stand while the daemon is killed and started again and again, and other pods start and stop. What stands must
 * not notice; each daemon must answer soon, and say what is true.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/base/errors.ts';
import { criClient, type CriClient } from '../support/cri-client.ts';
import { patience } from '../support/patience.ts';
import type { Workload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';
import { Crowd, type Losses } from './crowd.ts';
import { liveOn, type LivesFigures } from './live-on.ts';
import type { Random } from './random.ts';

export interface RestartOptions {
  /** What stands: so many pods, with so many containers among them. */
  readonly pods: number;
  readonly containers: number;
  /** How often the daemon is killed. */
  readonly restarts: number;
  /** Pods that start and stop at the same time. */
  readonly livesAtOnce: number;
  readonly random: Random;
  readonly print: (line: string) => void;
}

/** How one daemon came back, in milliseconds. */
export interface Return {
  /** From the start of its process until its socket answered a call. */
  readonly answers: number;
  /** From then on until a list said nothing that is not so. */
  readonly true: number;
  /** Of a processor that the daemon had until then: on a machine that is busy with other things the rest is waiting for one. */
  readonly processor: number;
}

export interface RestartFigures extends LivesFigures, Losses {
  readonly returns: Return[];
  /** What the lists still said after a minute and is not so. */
  readonly untrue: string[];
  readonly leaks: string[];
  /** Containers that stood, for a while or all the time. */
  stood: number;
}

/** How long each daemon serves, at most. */
const reignMs = 1500;
/** How long lists may be wrong before that is given up; what is wrong for a second is a figure. */
const truthDeadlineMs = 60_000;

/** On a daemon without pods, which has none in the end. */
export async function restartUnderLoad(node: Workload, { pods, containers, restarts, livesAtOnce, random, print }: RestartOptions): Promise<RestartFigures> {
  const { daemon } = node;
  const crowd = await Crowd.gather(node, { pods, containers });
  const figures: RestartFigures = { lives: 0, pods: 0, containers: 0, retries: 0, stuck: [], lost: [], ...crowd.losses, returns: [], untrue: [], leaks: [], stood: 0 };
  let over = false;
  const lives = Array.from({ length: livesAtOnce }, async (_, n) => {
    while (!over) await liveOn(node, figures, { userNamespace: n % 2 === 1 });
  });
  const few = Math.max(1, Math.round(containers / 20));
  try {
    for (let restart = 1; restart <= restarts; restart++) {
      await crowd.putLogsAside(few, random);
      await Promise.all([crowd.dismiss(few, random), sleep(random.below(reignMs)).then(() => daemon.kill9())]); // ends that it sees, and ends that it misses
      await crowd.dismiss(few, random);
      const back = await comeBack(node, crowd, figures.untrue);
      figures.returns.push(back);
      print(`restart ${restart} of ${restarts}: answers after ${back.answers.toFixed(0)} ms, its lists are true ${back.true.toFixed(0)} ms later; ${back.processor} ms of a processor`);
      await crowd.closeRanks();
    }
  } finally {
    over = true;
    await Promise.all(lives);
  }
  await crowd.disperse(random);
  figures.stood = crowd.joined;
  await assertRemovalLeavesNothing(daemon).catch((error: unknown) => figures.leaks.push(messageOf(error)));
  return figures;
}

/** Starts the daemon, and watches it as one would who waits for it. */
async function comeBack({ daemon }: Workload, crowd: Crowd, untrue: string[]): Promise<Return> {
  const began = performance.now();
  const starting = daemon.restart();
  const client = await Promise.race([firstAnswer(daemon.paths.socket), starting.then(() => criClient(daemon.paths.socket))]);
  try {
    const answered = performance.now();
    let wrong = await crowd.untruths(client);
    while (wrong.length > 0 && performance.now() < answered + truthDeadlineMs * patience) {
      await sleep(10);
      wrong = await crowd.untruths(client);
    }
    untrue.push(...wrong);
    const agreed = performance.now();
    const processor = processorMs(daemon.pid);
    await starting;
    return { answers: answered - began, true: agreed - answered, processor };
  } finally {
    client.close();
  }
}

/** In its own code and the kernel's, so far. */
function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13);
  return (Number(user) + Number(system)) * 10; // the kernel counts in hundredths of a second
}

/** The client of the first call that is answered. A client that was refused waits before it tries again, so each tries once. */
async function firstAnswer(socket: string): Promise<CriClient> {
  for (;;) {
    if (await accepts(socket)) {
      const client = criClient(socket);
      const isAnswered = await client.version().then(() => true, () => false); // what a killed daemon was starting may hold its socket until it has started
      if (isAnswered) return client;
      client.close();
    }
    await sleep(2);
  }
}

async function accepts(socket: string): Promise<boolean> {
  const connection = connect(socket);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  connection.once('connect', () => resolve(true)).once('error', () => resolve(false));
  return promise.finally(() => connection.destroy());
}
