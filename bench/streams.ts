/**
 * `npm run bench:streams`: sessions of Gantry and of Debian's containerd, in turns in one run, over the same SPDY client: the first byte of
 * `echo`, a large file through exec and through port-forward, many sessions at once. Then, of Gantry alone, what abandoned sessions leave behind.
 *
 *   --runtime crun|runc       Gantry's OCI runtime (default crun); the peer has runc, as Debian has it
 *   --peer containerd|none    default containerd
 *   --rounds N                first bytes of each (default 30)
 *   --bulk-rounds N           large files of each (default 3)
 *   --megabytes N             size of the large file (default 1024)
 *   --at-once N               sessions at once (default 200)
 *   --abandoned N             default 10000
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startBenchImages } from './images.ts';
import { inOwnRun } from './in-own-run.ts';
import { startContainerd } from './peer-containerd.ts';
import { progress } from './progress.ts';
import { machineFacts, median } from './report.ts';
import { abandon, bulkExec, bulkPortForward, firstByte, held, manyAtOnce, serve, settled, type Held, type Served } from './streams-driver.ts';
import { startGantry } from './subject-gantry.ts';
import type { Subject } from './subject.ts';

const { values } = parseArgs({
  options: {
    runtime: { type: 'string', default: 'crun' },
    peer: { type: 'string', default: 'containerd' },
    rounds: { type: 'string', default: '30' },
    'bulk-rounds': { type: 'string', default: '3' },
    megabytes: { type: 'string', default: '1024' },
    'at-once': { type: 'string', default: '200' },
    abandoned: { type: 'string', default: '10000' },
  },
});
const whole = (name: 'rounds' | 'bulk-rounds' | 'megabytes' | 'at-once' | 'abandoned'): number => {
  const number = Number(values[name]);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} ${values[name]}: a whole number from 1`);
  return number;
};
const size = whole('megabytes') * 2 ** 20;
/** Between two measurements, so that what the kernel does for the one before (moving its process into a cgroup) is no gift to the next. */
const quietMs = 100;
/** In which the daemon gives back what it does not need any more (src/main/memory-return.ts). */
const restMs = 40_000;

/** Measures each in turns and keeps the medians, in the order of `all`; the first round warms up and does not count. */
async function inTurns(all: readonly Served[], rounds: number, measure: (served: Served) => Promise<number>): Promise<number[]> {
  const times = all.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [n, served] of all.entries()) {
      await sleep(quietMs);
      const value = await measure(served);
      if (round >= 0) times[n]!.push(value);
    }
  }
  return times.map(median);
}

function row(what: string, unit: string, [ours, theirs]: readonly number[], target = ''): string {
  const cell = (value: number | undefined): string => (value === undefined ? '-' : `${value.toFixed(1)} ${unit}`).padStart(14);
  const ratio = theirs === undefined ? '' : (ours! / theirs).toFixed(2);
  return `${what.padEnd(30)}${cell(ours)}${cell(theirs)}${ratio.padStart(8)}  ${target}`.trimEnd();
}

async function bulkRows(all: readonly Served[], what: string, work: typeof bulkExec): Promise<string[]> {
  progress(`${what}: ${values['bulk-rounds']} rounds of ${values.megabytes} MiB`);
  const growth = new Map<Served, number>();
  const rates = await inTurns(all, whole('bulk-rounds'), async (served) => {
    const { ms, growthBytes } = await work(served, size);
    growth.set(served, Math.max(growth.get(served) ?? 0, growthBytes));
    progress(`  ${served.subject.name} ${ms.toFixed(0)} ms, daemon at most ${(growthBytes / 1e6).toFixed(1)} MB more`);
    return size / 1e3 / ms;
  });
  return [row(`${what}, rate`, 'MB/s', rates, '≥ 1 × peer'), row(`${what}, memory`, 'MB more', all.map((served) => growth.get(served)! / 1e6), 'flat')];
}

function heldText({ descriptors, residentBytes }: Held): string {
  return `${descriptors} descriptors and ${(residentBytes / 1e6).toFixed(1)} MB`;
}

async function bench(undo: AsyncDisposableStack): Promise<void> {
  const images = await startBenchImages();
  undo.defer(() => images.stop());
  const all: Served[] = [];
  const add = async (starting: Promise<Subject>): Promise<void> => {
    const subject = await starting;
    undo.defer(() => subject.stop());
    await subject.client.pullImage({ image: images.spec(images.workload) });
    all.push(await serve(subject, images.workload, size));
  };
  await add(startGantry({ runtime: values.runtime, registriesConf: images.registriesConf }));
  if (values.peer !== 'none') await add(startContainerd({ runtime: '/usr/bin/runc', pauseImage: images.pause }));

  const gantry = all[0]!;
  const lives: string[] = [];
  const note = (when: string): void => void lives.push(`${when.padEnd(30)}${heldText(held(gantry))}`);
  note('at first');
  progress(`first byte: ${values.rounds} rounds`);
  const rows = [row('exec, first byte of echo', 'ms', await inTurns(all, whole('rounds'), firstByte), '≤ 0.5 × peer')];
  rows.push(...(await bulkRows(all, 'exec cat', bulkExec)), ...(await bulkRows(all, 'port-forward', bulkPortForward)));
  note('after the large files');
  progress(`${values['at-once']} sessions at once`);
  rows.push(row(`${values['at-once']} sessions at once`, 'ms', await inTurns(all, 1, (served) => manyAtOnce(served, whole('at-once')))));
  await settled(gantry);
  note(`after ${values['at-once']} at once`);
  for (let part = 0; part < 4; part++) {
    progress(`abandoned sessions: part ${part + 1} of 4`);
    await abandon(gantry, Math.ceil(whole('abandoned') / 4));
    await settled(gantry);
    note(`after ${part + 1}/4 of ${values.abandoned} abandoned`);
  }
  progress(`a rest of ${restMs / 1000} s`);
  await sleep(restMs);
  note('after a rest');
  const { cores, cpu, load } = machineFacts();
  console.log([
    `${cores} × ${cpu}, load ${load.toFixed(1)}`, ...all.map(({ subject }) => subject.description), '',
    `${''.padEnd(30)}${all.map(({ subject }) => subject.name.padStart(14)).join('')}   ratio  target`, ...rows, '',
    'the daemon of Gantry:', ...lives,
  ].join('\n'));
}

await inOwnRun(bench);
