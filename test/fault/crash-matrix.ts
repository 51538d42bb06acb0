/**
 * The crash matrix: the daemon killed before and after every fault point that a life passes, call by call. After each kill the next
 * daemon must have lost nothing and must own everything that is there, and the same call, made again, must succeed.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Daemon } from '../support/daemon.ts';
import { eventually, type Workload } from '../support/workload.ts';
import { assertNoTraces, tracesOf } from '../support/workload-traces.ts';
import { Life } from './life.ts';
import type { Random } from './random.ts';

/** Where to kill while a call is made. */
export interface Target {
  readonly call: string;
  readonly fault: string;
}

export interface MatrixFigures {
  /** Every kill that happened, of the daemon that served and of one that was starting. */
  killedAt: string[];
  killedStarting: number;
  /** Kills after which a daemon started again. */
  survived: number;
  notReached: string[];
  leaks: string[];
  lost: string[];
  failedRetries: string[];
}

/** Lives one life that nothing disturbs, and returns the points of each call in the order of passing. */
export async function tracePoints(node: Workload): Promise<ReadonlyMap<string, readonly string[]>> {
  const file = path.join(node.daemon.paths.dir, 'passed');
  const life = await Life.prepare(node, { userNamespace: true });
  await node.daemon.restart(`trace(${file}) before * every time`);
  await node.client.status(); // asks the OCI runtimes what they can
  rmSync(file, { force: true });
  const passed = new Map<string, readonly string[]>();
  while (life.next !== undefined) {
    const call = life.next;
    await life.goOn();
    passed.set(call, existsSync(file) ? [...new Set(readFileSync(file, 'utf8').trimEnd().split('\n'))] : []);
    rmSync(file, { force: true });
  }
  await node.daemon.restart();
  return passed;
}

/** Every kill of the matrix: each point of each call once, before and after it. */
export function allTargets(passed: ReadonlyMap<string, readonly string[]>): Target[] {
  const seen = new Set<string>();
  return [...passed].flatMap(([call, points]) => points.flatMap((point) => {
    // Writes to the store are in every call, and mean something else in each.
    const once = point.startsWith('store/') ? `${call.split(' ')[0]} ${point}` : point;
    if (seen.has(once)) return [];
    seen.add(once);
    const faults = [`kill before ${point}`, `kill after ${point}`, ...(point === 'file/write' ? ['torn before file/write'] : [])];
    return faults.map((fault) => ({ call, fault }));
  }));
}

/** Spreads targets evenly over as few lives as it takes: in each a call is killed once, so that the same call made again has to succeed. */
export function livesOf(targets: readonly Target[]): Target[][] {
  const ofCalls = [...Map.groupBy(targets, ({ call }) => call).values()];
  const lives = Array.from({ length: Math.max(...ofCalls.map(({ length }) => length)) }, (): Target[] => []);
  let dealt = 0;
  for (const ofCall of ofCalls) {
    for (const [n, target] of ofCall.entries()) lives[(dealt + Math.floor((n * lives.length) / ofCall.length)) % lives.length]!.push(target);
    dealt += ofCall.length;
  }
  return lives;
}

/**
 * All lives, beginning with the one whose turn it is. Of several who share them each begins elsewhere: who takes one life a turn takes all
 * in time, and all who share them together do the sooner.
 */
export function inTurn<T>(lives: readonly T[], { turn, share, shares }: { turn: number; share: number; shares: number }): T[] {
  const first = turn + share * Math.ceil(lives.length / shares);
  return lives.map((_, n) => lives[(first + n) % lives.length]!);
}

/**
 * Lives one life with these kills, at each third of which the next daemon is killed as well, while it recovers. The figures tell what went
 * wrong; only a daemon that does not start any more throws.
 */
export async function liveAndDie(node: Workload, kills: readonly Target[], random: Random): Promise<MatrixFigures> {
  const figures = noFigures();
  const { daemon } = node;
  const life = await Life.prepare(node, { userNamespace: true });
  const pending = life.calls.flatMap((call) => kills.filter((kill) => kill.call === call));
  let target = pending.shift();
  let retrying = false;
  await daemon.restart(target?.fault);
  while (life.next !== undefined) {
    const call = life.next;
    const failed = await life.goOn().then(() => undefined, (error: unknown) => error ?? 'failed');
    if (failed === undefined && target?.call !== call) {
      retrying = false;
      continue;
    }
    const died = await ends(daemon); // what goes on after its call was answered may be what is killed
    if (!died && failed !== undefined) {
      figures.failedRetries.push(`${call}${retrying ? ' again' : ''} after ${figures.killedAt.at(-1) ?? 'nothing'}: ${String(failed)}`);
      break;
    }
    retrying = failed !== undefined;
    (died ? figures.killedAt : figures.notReached).push(`${call}: ${target?.fault}`);
    let deaths = died ? 1 : 0;
    if (died && random.below(3) === 0 && await dieStarting(node, 1 + random.below(6))) {
      figures.killedStarting++;
      deaths++;
    }
    target = pending.shift();
    await daemon.restart(target?.fault);
    figures.survived += deaths;
    await life.assertNothingLost().catch((error: unknown) => figures.lost.push(`after ${figures.killedAt.at(-1)}: ${String(error)}`));
    figures.leaks.push(...(await strays(node)).map((stray) => `after ${figures.killedAt.at(-1)}: ${stray}`));
  }
  await daemon.restart();
  await assertNoTraces(daemon).catch((error: unknown) => figures.leaks.push(`at the end, last killed at ${figures.killedAt.at(-1)}: ${String(error)}`));
  return figures;
}

export function noFigures(): MatrixFigures {
  return { killedAt: [], killedStarting: 0, survived: 0, notReached: [], leaks: [], lost: [], failedRetries: [] };
}

/** Whether the daemon is gone, now or in a moment. */
async function ends(daemon: Daemon): Promise<boolean> {
  return eventually(() => assert.ok(!daemon.alive), 1000).then(() => true, () => false);
}

/** Kills a daemon at the nth point of its recovery; false when there is not that much to recover. */
async function dieStarting({ daemon }: Workload, nth: number): Promise<boolean> {
  await daemon.restart(`kill before * #${nth} at start`).catch(() => {});
  return !daemon.alive;
}

const idForm = /[0-9a-f]{64}(?![0-9a-f])/g;

/** What is there of pods and containers that no list has. */
async function strays({ client, daemon }: Workload): Promise<string[]> {
  const [{ items }, { containers }] = await Promise.all([client.listPodSandbox(), client.listContainers()]);
  const known = new Set([...items, ...containers].map(({ id }) => id));
  return tracesOf(daemon).filter((trace) => (trace.match(idForm) ?? []).some((id) => !known.has(id)));
}
