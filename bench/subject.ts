/** A runtime under measurement. */
import type { CriClient } from '../test/support/cri-client.ts';
import type { RunProcess } from '../test/support/leftovers.ts';

export interface Subject {
  readonly name: string;
  /** With versions, for the head of the report. */
  readonly description: string;
  readonly client: CriClient;
  readonly cgroupParent: string;
  /** A folder for the pods' logs. */
  readonly logs: string;
  /** The daemon and every helper of its containers (shims, monitors, pause processes), the containers' own processes too. */
  processes(): RunProcess[];
  /** Ends the runtime and removes everything it made. */
  stop(): Promise<void>;
}

/** What every container of the benchmark runs; recognised by it, so that its memory is not counted as the runtime's. */
export const workload: readonly string[] = ['sleep', '86399'];
