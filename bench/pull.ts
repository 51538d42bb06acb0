/**
 * `npm run bench:pull`: PullImage by Gantry and by Debian's containerd, and `skopeo copy` beside them, in turns in one run, of a large
 * image with many layers (gzip and zstd), a quarter of it, and a small one. Prints medians, ratios and the targets; a missed target is no error.
 *
 *   --peer containerd|none  default containerd
 *   --megabytes N           unpacked size of the large image (default 512)
 *   --rounds N              pulls of the large images by each (default 5)
 *   --small-rounds N        pulls of the small image by each (default 15)
 *   --json FILE             also writes everything measured
 */
import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ImageSpec } from '../src/gen/cri.ts';
import { run } from '../src/host/spawn.ts';
import { withOwnCache } from '../test/support/containers-cache.ts';
import { message } from '../test/support/cri-messages.ts';
import { busyboxLayer } from '../test/support/image.ts';
import { startRegistry } from '../test/support/registry.ts';
import type { Registry } from '../test/support/registry.ts';
import { inOwnRun } from './in-own-run.ts';
import { progress } from './progress.ts';
import { startContainerd, versionOf } from './peer-containerd.ts';
import { cpuMsOf, peakOf, resetPeak } from './proc.ts';
import { entriesOfUsr, makeImageBody, pushRoundImage } from './pull-images.ts';
import type { ImageBody } from './pull-images.ts';
import { pullReportText } from './pull-report.ts';
import type { Pulled, PullSeries } from './pull-report.ts';
import { machineFacts } from './report.ts';
import { startGantry } from './subject-gantry.ts';
import type { Subject } from './subject.ts';

interface Options {
  readonly peer: boolean;
  readonly megabytes: number;
  readonly rounds: number;
  readonly smallRounds: number;
  readonly json: string | undefined;
}

/** What is pulled in a series of rounds. */
interface Plan {
  readonly label: string;
  readonly body: ImageBody;
  readonly rounds: number;
  readonly target?: number;
  /** How long everybody rests before each pull. */
  readonly restMs: number;
}

/** One who pulls: a CRI runtime, or a program that only downloads. */
interface Puller {
  readonly name: string;
  pull(reference: string): Promise<Pulled>;
}

/** Pulls of small images come now and then: what a runtime keeps ready for a few seconds after the last one is gone by then. */
const longRestMs = 6_000;
const shortRestMs = 500;
const pullDeadlineMs = 10 * 60_000;
const skopeo = '/usr/bin/skopeo';

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      peer: { type: 'string', default: 'containerd' },
      megabytes: { type: 'string', default: '512' },
      rounds: { type: 'string', default: '5' },
      'small-rounds': { type: 'string', default: '15' },
      json: { type: 'string' },
    },
  });
  const whole = (name: 'megabytes' | 'rounds' | 'small-rounds'): number => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} ${values[name]}: a whole number from 1`);
    return number;
  };
  if (!['containerd', 'none'].includes(values.peer)) throw new Error(`--peer ${values.peer}: containerd or none`);
  return { peer: values.peer !== 'none', megabytes: whole('megabytes'), rounds: whole('rounds'), smallRounds: whole('small-rounds'), json: values.json };
}

/** Progress goes to standard error: the table alone is the output. */
/** Writes everything to disk and forgets what was cached; false where the machine does not allow that. */
async function dropCaches(): Promise<boolean> {
  await run('/usr/bin/sync', [], { deadlineMs: 120_000 });
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch {
    return false;
  }
}

function criPuller(subject: Subject): Puller {
  return {
    name: subject.name,
    async pull(image) {
      const pids = subject.processes().map(({ pid }) => pid);
      resetPeak(pids);
      const cpuBefore = cpuMsOf(pids);
      const began = performance.now();
      await subject.client.pullImage({ image: message(ImageSpec, { image }) }, { deadlineMs: pullDeadlineMs });
      return { ms: performance.now() - began, peakBytes: peakOf(pids), cpuMs: cpuMsOf(pids) - cpuBefore };
    },
  };
}

/** Downloads and checks the blobs into a folder; unpacks nothing. */
function skopeoPuller(): Puller {
  const folder = path.join(os.tmpdir(), 'skopeo');
  return {
    name: 'skopeo',
    async pull(reference) {
      const began = performance.now();
      await run('/usr/bin/unshare', [...withOwnCache, skopeo, 'copy', '--quiet', '--src-tls-verify=false', '--insecure-policy', `docker://${reference}`, `dir:${folder}`], { deadlineMs: pullDeadlineMs });
      const ms = performance.now() - began;
      await rm(folder, { recursive: true });
      return { ms };
    },
  };
}

async function measure(pullers: readonly Puller[], registry: Registry, { label, body, rounds, target, restMs }: Plan): Promise<PullSeries> {
  progress(`${label}: ${rounds} rounds`);
  const pulls = new Map<string, Pulled[]>(pullers.map(({ name }) => [name, []]));
  const repository = `bench/${label.replaceAll(/[^a-z]+/g, '-')}`;
  for (let round = 0; round < rounds; round++) {
    const reference = await pushRoundImage(registry, body, `${repository}:${round}`);
    // Who is first changes, so that nothing a turn leaves is always to the same one's cost.
    for (let turn = 0; turn < pullers.length; turn++) {
      const puller = pullers[(turn + round) % pullers.length]!;
      await dropCaches();
      await sleep(restMs);
      pulls.get(puller.name)!.push(await puller.pull(reference));
    }
    progress(`  ${round}: ${pullers.map(({ name }) => `${name} ${pulls.get(name)!.at(-1)!.ms.toFixed(0)} ms`).join(', ')}`);
  }
  return { image: label, pulls, ...(target === undefined ? {} : { target }) };
}

async function makePlans({ megabytes, rounds, smallRounds }: Options): Promise<Plan[]> {
  progress('making the images');
  const describe = (size: string, body: ImageBody): string => `${size}, ${Math.round(body.unpackedBytes / 1e6)} MB in ${body.files} files, ${body.layers.length} layers, ${body.compression}`;
  const small = await makeImageBody([busyboxLayer()], 'gzip');
  const quarter = await makeImageBody(entriesOfUsr((megabytes * 1e6) / 4), 'gzip');
  const entries = entriesOfUsr(megabytes * 1e6);
  const large = await makeImageBody(entries, 'gzip');
  const zstd = await makeImageBody(entries, 'zstd');
  return [
    { label: describe('small', small), body: small, rounds: smallRounds, target: 0.8, restMs: longRestMs },
    { label: describe('quarter', quarter), body: quarter, rounds, restMs: shortRestMs },
    { label: describe('large', large), body: large, rounds, target: 0.5, restMs: shortRestMs },
    { label: describe('large', zstd), body: zstd, rounds, target: 0.5, restMs: shortRestMs },
  ];
}

async function bench(options: Options, undo: AsyncDisposableStack): Promise<void> {
  const plans = await makePlans(options);
  const registry = await startRegistry();
  undo.defer(() => registry.stop());
  const gantry = await startGantry({ runtime: 'runc', registriesConf: `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n` });
  undo.defer(() => gantry.stop());
  const subjects = [gantry];
  if (options.peer) {
    const peer = await startContainerd({ runtime: '/usr/bin/runc', pauseImage: `${registry.host}/pause:1` });
    undo.defer(() => peer.stop());
    subjects.push(peer);
  }
  const skopeoVersion = versionOf(skopeo);
  const pullers = [...subjects.map(criPuller), ...(skopeoVersion === '' ? [] : [skopeoPuller()])];
  const warmUp = await pushRoundImage(registry, plans[0]!.body, 'bench/warm-up:1');
  for (const puller of pullers) await puller.pull(warmUp);
  const coldCache = await dropCaches();

  const series: PullSeries[] = [];
  for (const plan of plans) series.push(await measure(pullers, registry, plan));
  const facts = machineFacts();
  const descriptions = [...subjects.map(({ description }) => description), ...(skopeoVersion === '' ? [] : [`${skopeoVersion}, which downloads into a folder and unpacks nothing`])];
  console.log(pullReportText({ descriptions, coldCache, series }, facts));
  if (options.json !== undefined) {
    const plain = series.map(({ pulls, ...rest }) => ({ ...rest, pulls: Object.fromEntries(pulls) }));
    writeFileSync(options.json, `${JSON.stringify({ facts, options, coldCache, series: plain }, null, 2)}\n`);
  }
}

const options = readOptions();
await inOwnRun((undo) => bench(options, undo));
