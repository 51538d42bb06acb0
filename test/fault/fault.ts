/** `npm run fault` and `npm run soak`; docs/faults.md says what they show. */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { faultPoints } from '../../src/base/fault-points.ts';
import { messageOf } from '../../src/base/errors.ts';
import { beginOwnRun } from '../support/own-run.ts';
import { startWorkload } from '../support/workload.ts';
import { allTargets, liveAndDie, livesOf, noFigures, tracePoints } from './crash-matrix.ts';
import { everyDelay, everyError, liveWith } from './erring-life.ts';
import { measureHang, whyNoDeadMount } from './hang.ts';
import { randomFrom, seedOfRun } from './random.ts';
import { restartUnderLoad } from './restarts.ts';
import { soak } from './soak.ts';

const usage = `npm run fault                    kills the daemon before and after every fault point, then lets each of them fail
npm run fault -- --report        the same, what others notice of a hang, and a short soak; prints the figures
npm run fault -- --lives N       only N lives of the crash matrix, chosen by the seed
npm run fault -- --points        the names of all fault points
npm run soak -- --minutes N      lives at once on a daemon that chance interrupts; 10 minutes unless N says otherwise, none with 0
                                 then restarts under load

Restarts under load are part of the report and of the soak: --restarts 20 --pods 100 --containers 200 are the figures without options.
RUNTIME=crun|runc chooses the OCI runtime; SEED=N repeats a run. Needs root.`;

const { values } = parseArgs({ options: {
  report: { type: 'boolean', default: false },
  points: { type: 'boolean', default: false },
  soak: { type: 'boolean', default: false },
  minutes: { type: 'string' },
  restarts: { type: 'string', default: '20' },
  pods: { type: 'string', default: '100' },
  containers: { type: 'string', default: '200' },
  lives: { type: 'string' },
  help: { type: 'boolean', default: false },
} });

const seed = seedOfRun();
const random = randomFrom(seed);
const print = (line: string): void => console.log(line);
let wrong = 0;

/** A figure; what is in the list should not be there. */
function figure(name: string, value: string | number, problems: readonly string[] = []): void {
  print(`${name.padEnd(32)} ${value}`);
  for (const problem of problems) print(`    ${problem}`);
  wrong += problems.length;
}

async function crashMatrix(): Promise<void> {
  const node = await startWorkload();
  try {
    const passed = await tracePoints(node);
    const lives = livesOf(allTargets(passed));
    const chosen = values.lives === undefined ? lives : Array.from({ length: Number(values.lives) }, () => random.pick(lives));
    const all = noFigures();
    const dead: string[] = [];
    for (const [n, kills] of chosen.entries()) {
      const one = await liveAndDie(node, kills, random).catch((error: unknown) => void dead.push(messageOf(error)));
      if (one === undefined) break;
      print(`life ${n + 1} of ${chosen.length}: killed ${one.killedAt.length} times while serving and ${one.killedStarting} times while recovering`);
      for (const key of ['killedAt', 'notReached', 'leaks', 'lost', 'failedRetries'] as const) all[key].push(...one[key]);
      for (const key of ['killedStarting', 'survived'] as const) all[key] += one[key];
    }
    figure('points killed at', `${new Set(all.killedAt.map((kill) => kill.replace(/^.*: \w+ \w+ /, ''))).size} of ${new Set([...passed.values()].flat()).size}`);
    figure('kills', `${all.killedAt.length} while serving, ${all.killedStarting} while recovering`);
    figure('kills survived', all.survived, dead);
    figure('points not reached', [all.notReached.length, ...all.notReached].join('  '));
    figure('leaks found', all.leaks.length, all.leaks);
    figure('lost', all.lost.length, all.lost);
    figure('retries that failed', all.failedRetries.length, all.failedRetries);
    if (dead.length > 0) return;

    for (const [name, faults] of [['errors injected', everyError(passed)], ['delays injected', everyDelay]] as const) {
      const { injected, failedCalls, unclean, lost, leaks } = await liveWith(node, faults);
      figure(name, `${injected}, ${failedCalls} calls failed and then succeeded`, [...unclean, ...lost, ...leaks]);
    }
  } finally {
    await node.stop();
  }
}

async function hangs(): Promise<void> {
  const reason = whyNoDeadMount();
  if (reason !== undefined) return print(`requests during a hang: skipped, ${reason}`);
  const { before, during, ratio, requests } = await measureHang(100);
  figure('requests during a hang', `${requests}, p99 ratio ${ratio.toFixed(2)}`);
  for (const [kind, ms] of Object.entries(before)) print(`    ${kind.padEnd(8)} p99 ${ms.toFixed(1)} ms before, ${during[kind]!.toFixed(1)} ms during`);
}

async function soakFor(minutes: number): Promise<void> {
  if (minutes === 0) return;
  const of = await soak({ minutes, random, atOnce: 4, print });
  figure('soak', `${minutes} minutes, ${of.lives} lives, ${of.pods} pods, ${of.containers} containers`);
  figure('soak: kills', of.kills);
  figure('soak: faults injected', of.faultsInjected);
  figure('soak: calls made again', of.retries);
  figure('soak: calls stuck', of.stuck.length, of.stuck);
  figure('soak: lost', of.lost.length, of.lost);
  figure('soak: leaked', of.leaks.length, of.leaks);
}

async function restarts(): Promise<void> {
  const [times, pods, containers] = [Number(values.restarts), Number(values.pods), Number(values.containers)];
  if (times === 0) return;
  const node = await startWorkload();
  try {
    const of = await restartUnderLoad(node, { pods, containers, restarts: times, livesAtOnce: 4, random, print });
    figure('restarts under load', `${times}; ${pods} pods with ${containers} containers stood (${of.stood} in turn), ${of.pods} pods with ${of.containers} containers started and stopped`);
    figure('restarts: socket answers', spread(of.returns.map(({ answers }) => answers)));
    figure('restarts: lists true after that', spread(of.returns.map((back) => back.true)), of.untrue);
    figure('restarts: processor time of that', spread(of.returns.map(({ processor }) => processor)));
    figure('restarts: containers died', of.died.length, of.died);
    figure('restarts: exit codes lost', of.exitCodes.length, of.exitCodes);
    figure('restarts: log lines lost', of.logLines.length, of.logLines);
    figure('restarts: calls made again', of.retries);
    figure('restarts: calls stuck', of.stuck.length, of.stuck);
    figure('restarts: lost', of.lost.length, of.lost);
    figure('restarts: leaked', of.leaks.length, of.leaks);
  } finally {
    await node.stop();
  }
}

function spread(all: readonly number[]): string {
  const sorted = all.toSorted((a, b) => a - b);
  return `median ${sorted[sorted.length >> 1]!.toFixed(0)} ms, longest ${sorted.at(-1)!.toFixed(0)} ms`;
}

async function main(): Promise<void> {
  if (values.help) return print(usage);
  if (values.points) return print(faultPoints.join('\n'));
  const own = await beginOwnRun();
  process.env.NODE_COMPILE_CACHE = path.join(own.run.dir, 'compiled');
  process.on('SIGINT', () => void own.sweep().finally(() => process.exit(130)));
  print(`seed ${seed}`);
  try {
    if (!values.soak) await crashMatrix();
    if (values.report) await hangs();
    if (values.soak || values.report) {
      await soakFor(Number(values.minutes ?? (values.soak ? 10 : 1)));
      await restarts();
    }
    const left = await own.leftBehind();
    figure('left behind', left.length, left);
  } finally {
    await own.sweep();
  }
  process.exitCode = wrong === 0 ? 0 : 1;
}

await main();
