/**
 * `npm run bench`: Gantry, a peer (Debian's containerd) and the floor, measured in turns in one run, so that whatever else the
 * machine does meets all of them alike. Prints medians, ratios and the targets; a missed target is no error.
 *
 *   --runtime crun|runc       the OCI runtime of Gantry and the floor (default crun)
 *   --peer-runtime crun|runc  the OCI runtime of the peer (default runc, as Debian has it)
 *   --peer containerd|none    default containerd
 *   --rounds N                pods of each (default 15)
 *   --json FILE               also writes everything measured
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { removePods } from '../test/support/daemon.ts';
import { inOwnRun } from './in-own-run.ts';
import { progress } from './progress.ts';
import { fillWithContainers, idleCost, listContainers, memoryPerPod, podLife, type PodTimes } from './driver.ts';
import { makeFloor, type Floor, type FloorTimes } from './floor.ts';
import { startBenchImages, type BenchImages } from './images.ts';
import { startContainerd } from './peer-containerd.ts';
import { machineFacts, median, reportText, type Measured } from './report.ts';
import { startGantry } from './subject-gantry.ts';
import type { Subject } from './subject.ts';

const listed = 200;
const lists = 20;
const memoryPods = 10;
const idleSeconds = 10;
const warmUps = 2;

interface Options {
  readonly runtime: string;
  readonly peerRuntime: string;
  readonly peer: boolean;
  readonly rounds: number;
  readonly json: string | undefined;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      runtime: { type: 'string', default: 'crun' },
      'peer-runtime': { type: 'string', default: 'runc' },
      peer: { type: 'string', default: 'containerd' },
      rounds: { type: 'string', default: '15' },
      json: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: a whole number from 1`);
  if (!['containerd', 'none'].includes(values.peer)) throw new Error(`--peer ${values.peer}: containerd or none`);
  return { runtime: values.runtime, peerRuntime: values['peer-runtime'], peer: values.peer !== 'none', rounds, json: values.json };
}

/** Progress goes to standard error: the table alone is the output. */
/** Rounds of one pod life each, in turns; the first ones warm caches and do not count. */
async function measurePods({ subjects, floor, images, rounds }: { subjects: readonly Subject[]; floor: Floor; images: BenchImages; rounds: number }) {
  const pods = new Map<string, PodTimes[]>(subjects.map(({ name }) => [name, []]));
  const floors: FloorTimes[] = [];
  for (let round = -warmUps; round < rounds; round++) {
    for (const subject of subjects) {
      const times = await podLife(subject, images.workload);
      if (round >= 0) pods.get(subject.name)!.push(times);
    }
    const times = await floor.podLife();
    if (round >= 0) floors.push(times);
  }
  return { pods, floors };
}

async function measureLists(subjects: readonly Subject[], images: BenchImages): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>(subjects.map(({ name }) => [name, []]));
  for (const subject of subjects) await fillWithContainers(subject, images.workload, listed);
  for (let n = 0; n < lists; n++) {
    for (const subject of subjects) times.get(subject.name)!.push(await listContainers(subject, listed));
  }
  for (const subject of subjects) await removePods(subject.client);
  return times;
}

async function measure(subjects: readonly Subject[], floor: Floor, images: BenchImages, rounds: number): Promise<Measured> {
  progress(`idle: ${idleSeconds} s each`);
  const idle = new Map<string, { bytes: number; cpuPercent: number }>();
  for (const subject of subjects) idle.set(subject.name, await idleCost(subject, idleSeconds));
  progress(`pod start, exec, stop, remove: ${rounds} rounds`);
  const { pods, floors } = await measurePods({ subjects, floor, images, rounds });
  progress(`memory of ${memoryPods} pods`);
  const memory = new Map<string, number>();
  for (const subject of subjects) memory.set(subject.name, await memoryPerPod(subject, images.workload, memoryPods));
  progress(`ListContainers with ${listed} containers`);
  const listTimes = await measureLists(subjects, images);
  return {
    runtimes: subjects.map(({ name, description }) => ({
      name, description,
      pods: pods.get(name)!,
      listMs: median(listTimes.get(name)!),
      memoryPerPod: memory.get(name)!,
      idle: idle.get(name)!,
    })),
    floor: floors,
  };
}

async function bench(options: Options, undo: AsyncDisposableStack): Promise<void> {
  progress('starting a registry, Gantry and the peer');
  const images = await startBenchImages();
  undo.defer(() => images.stop());
  const subjects: Subject[] = [];
  const add = async (starting: Promise<Subject>): Promise<void> => {
    const subject = await starting;
    undo.defer(() => subject.stop());
    await subject.client.pullImage({ image: images.spec(images.workload) });
    subjects.push(subject);
  };
  await add(startGantry({ runtime: options.runtime, registriesConf: images.registriesConf }));
  if (options.peer) await add(startContainerd({ runtime: `/usr/bin/${options.peerRuntime}`, pauseImage: images.pause }));
  const floor = await makeFloor({ runtime: `/usr/bin/${options.runtime}` });
  undo.defer(() => floor.stop());

  const measured = await measure(subjects, floor, images, options.rounds);
  const facts = machineFacts();
  console.log(reportText(measured, facts, options.runtime));
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ facts, options, ...measured }, null, 2)}\n`);
}

const options = readOptions();
await inOwnRun((undo) => bench(options, undo));
