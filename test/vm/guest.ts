/**
 * Inside the virtual machine: runs passes of test files as a tier does, looks what they left, and writes after each file how far it
 * came. What its time does not suffice for is skipped by name: a slow machine is no failure.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { runFiles, type Counts } from '../../scripts/test-files.ts';
import { beginOwnRun } from '../support/own-run.ts';
import type { Pass } from './selection.ts';
import { type Progress, skippedLine } from './progress.ts';

const [progressFile, passes, seconds] = process.argv.slice(2);
if (progressFile === undefined || passes === undefined || seconds === undefined) throw new Error('usage: guest.ts PROGRESS-FILE PASSES-AS-JSON SECONDS');

const timeIsUp = AbortSignal.timeout(Number(seconds) * 1000);
const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
let files = 0;
const print = (line: string): void => console.log(line);

function tell(finished: boolean): void {
  writeFileSync(progressFile!, JSON.stringify({ files, counts, finished } satisfies Progress));
}

function add(more: Counts): void {
  for (const kind of ['passed', 'failed', 'skipped'] as const) counts[kind] += more[kind];
}

/** Emulated, node itself aborts now and then while it starts ("Check failed: it->second.Size() > offset"), before any test: seen in 3 of some 25 starts. */
const nodeAborted = /# Fatal error in [^]*V8_Fatal/;
/** What scripts/test-files.ts says of a file that ended so; not always does node get to say why. */
const neverBegan = /before its first test/;
const mostStarts = 3;

/** A file that is not at its end when the time is up counts as skipped, whatever it found until then. */
async function runFile(pass: Pass, file: string): Promise<void> {
  for (let start = 1; !timeIsUp.aborted; start++) {
    const lines: string[] = [];
    const tests = pass.tests === undefined ? undefined : new RegExp(pass.tests);
    const result = await runFiles({ files: [file], tests, concurrency: 1, signal: timeIsUp, print: (line) => lines.push(line), ...(pass.tellsEach === true ? { onTest: print } : {}) });
    if (timeIsUp.aborted) break;
    const said = lines.join('\n');
    const began = result.passed > 0 || result.failed !== 1 || !neverBegan.test(said);
    if (began || (start === mostStarts && !nodeAborted.test(said))) {
      lines.forEach(print);
      return add(result);
    }
    if (start === mostStarts) return skip(`  skipped: ${file}: node aborted ${start} times before its first test, as it does when emulated`);
    print(`  once more, as it ended before its first test: ${file}`);
  }
  skip(skippedLine(pass, file));
}

function skip(line: string): void {
  print(line);
  counts.skipped++;
}

const own = await beginOwnRun();
process.env.NODE_COMPILE_CACHE = path.join(own.run.dir, 'compiled');
for (const pass of JSON.parse(passes) as Pass[]) {
  print(`  in the virtual machine: ${pass.runtime}, cgroup driver ${pass.cgroupDriver}`);
  Object.assign(process.env, { RUNTIME: pass.runtime, CGROUP_DRIVER: pass.cgroupDriver });
  for (const file of pass.files) {
    await runFile(pass, file);
    files++;
    tell(false);
  }
}
// A file that was ended could not tidy up.
if (!timeIsUp.aborted) {
  const left = await own.leftBehind();
  for (const thing of left) print(`left behind in the virtual machine: ${thing}`);
  counts[left.length === 0 ? 'passed' : 'failed']++;
}
tell(true);
process.exit(0);
