/** What everything that starts daemons does around it (the tests, the demo, the benchmark): mark it, and look what it left. */
import { lastingLeftovers, sweep, takeSnapshot } from './leftovers.ts';
import { beginRun, markVariable, otherRuns, type TestRun } from './test-run.ts';

export interface OwnRun {
  readonly run: TestRun;
  /** Marks of earlier runs that were killed, and whose things have been removed now. */
  readonly removed: readonly string[];
  /** What is left behind, after a moment's grace; empty is as it should be. */
  leftBehind(): Promise<string[]>;
  /** Ends and removes, by force, everything that is marked as this run's. */
  sweep(): Promise<void>;
}

/**
 * Begins a run and makes it this process's: from now on the run's folder is TMPDIR and its mark is in the environment, for this
 * process and its children.
 */
export async function beginOwnRun(): Promise<OwnRun> {
  const run = beginRun();
  const { alive, dead } = otherRuns(run);
  for (const other of dead) await sweep(other);
  const before = takeSnapshot();
  Object.assign(process.env, { TMPDIR: run.dir, [markVariable]: run.mark });
  return {
    run,
    removed: dead.map(({ mark }) => mark),
    leftBehind: () => lastingLeftovers(before, run, alive.length === 0 && otherRuns(run).alive.length === 0),
    sweep: () => sweep(run),
  };
}
