/** What the tests inside the virtual machine tell the host, which may have to end them. */
import type { Counts } from '../../scripts/test-files.ts';
import type { Pass } from './selection.ts';

export interface Progress {
  /** How many files of the passes, in their order, are counted. */
  readonly files: number;
  readonly counts: Counts;
  /** False until what the files left behind was looked for too. */
  readonly finished: boolean;
}

/** Names a file that there was no time for, and the command that runs it. */
export function skippedLine({ runtime, cgroupDriver, tests }: Pass, file: string): string {
  const chosen = tests === undefined ? '' : ` --tests '${tests}'`;
  return `skipped: ${file}: no time left; node test/vm/run.ts --runtime ${runtime} --cgroup-driver ${cgroupDriver}${chosen} ${file} does it`;
}

/** The counts of a run that was ended before its own end, with a line for each file that it did not come to. */
export function cutShort(passes: readonly Pass[], { files, counts }: Progress): { counts: Counts; lines: string[] } {
  const lines = passes.flatMap((pass) => pass.files.map((file) => skippedLine(pass, file))).slice(files);
  return { counts: { ...counts, skipped: counts.skipped + lines.length }, lines };
}
