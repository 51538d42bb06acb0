/** What every step of a migration works with. */
import type { Journal } from './journal.ts';
import type { NodeFiles } from './node-files.ts';
import type { Outside } from './outside.ts';
import type { Survey } from './survey.ts';

export interface Migration {
  readonly node: NodeFiles;
  readonly journal: Journal;
  readonly outside: Outside;
  readonly survey: Survey;
  /** Gantry's configuration file. */
  readonly configFile: string;
}

/**
 * One step. Each is written so that it may be begun again when it was interrupted, and undone when it was only begun. What it cannot do is told as
 * failed-precondition with what to do; the steps before it stay done.
 */
export interface Step {
  readonly name: string;
  /** What would be done now, a line each; none when there is nothing to do. */
  plan(migration: Migration): Promise<string[]>;
  run(migration: Migration): Promise<void>;
  undo(migration: Migration): Promise<void>;
}
