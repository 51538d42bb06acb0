/**
 * Inside the virtual machine: runs passes of test files as a tier does, looks what they left, and writes the counts for the
 * host. What its time does not suffice for is skipped.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { runFiles, type Counts } from '../../scripts/test-files.ts';
import { beginOwnRun } from '../support/own-run.ts';
import type { Pass } from './selection.ts';

const [countsFile, passes, seconds] = process.argv.slice(2);
if (countsFile === undefined || passes === undefined || seconds === undefined) throw new Error('usage: guest.ts COUNTS-FILE PASSES-AS-JSON SECONDS');

const until = performance.now() + Number(seconds) * 1000;
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const print = (line: string): void => console.log(line);

async function runPass({ runtime, cgroupDriver, files }: Pass): Promise<void> {
  print(`  in the virtual machine: ${runtime}, cgroup driver ${cgroupDriver}`);
  Object.assign(process.env, { RUNTIME: runtime, CGROUP_DRIVER: cgroupDriver });
  for (const file of files) {
    if (performance.now() > until) {
      print(`skipped: ${file}: no time left; node test/vm/run.ts --runtime ${runtime} --cgroup-driver ${cgroupDriver} ${file} does it`);
      total.skipped++;
      continue;
    }
    const counts = await runFiles({ files: [file], concurrency: 1, signal: new AbortController().signal, print });
    for (const kind of ['passed', 'failed', 'skipped'] as const) total[kind] += counts[kind];
  }
}

const own = await beginOwnRun();
process.env.NODE_COMPILE_CACHE = path.join(own.run.dir, 'compiled');
for (const pass of JSON.parse(passes) as Pass[]) await runPass(pass);
const left = await own.leftBehind();
for (const thing of left) print(`left behind in the virtual machine: ${thing}`);
total[left.length === 0 ? 'passed' : 'failed']++;
await own.sweep();
writeFileSync(countsFile, JSON.stringify(total));
process.exit(0);
