/**
 * The stages of one call: what it did, in order, with start, length and outcome. One recording, several readers
 * (the log line of the call, `gantry play`'s progress, later the timeline, traces and metrics).
 */

import { atPoint } from './faults.ts';

export interface Stage {
  readonly name: string;
  /** Milliseconds since the call began. */
  readonly startMs: number;
  readonly lengthMs: number;
  readonly failed: boolean;
}

export class Stages {
  readonly #call: string;
  readonly #began = performance.now();
  readonly #done: Stage[] = [];

  /** `call` is the RPC's name in the proto: with it stages are fault points. */
  constructor(call = '') {
    this.#call = call;
  }

  /** Runs one stage and records it, also when it throws; the error passes through unchanged. */
  async run<T>(name: string, work: () => Promise<T> | T): Promise<T> {
    const start = performance.now();
    let failed = true;
    try {
      const result = await atPoint(`${this.#call}/${name}`, work);
      failed = false;
      return result;
    } finally {
      this.#done.push({ name, startMs: start - this.#began, lengthMs: performance.now() - start, failed });
    }
  }

  /** What is finished so far, in order of finishing. */
  get done(): readonly Stage[] {
    return this.#done;
  }

  /** Milliseconds since the call began. */
  get elapsedMs(): number {
    return performance.now() - this.#began;
  }
}
