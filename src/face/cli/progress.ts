/** What is going on, for the person who waits: a spinner on a terminal, a line a finished step elsewhere. */
import type { Writable } from 'node:stream';
import type { Stages } from '../../base/stages.ts';
import { humanElapsed } from './human.ts';
import { printable, type CliIo } from './io.ts';

export const spinnerFrames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

export class Progress {
  readonly #out: Writable;
  readonly #spins: boolean;

  /** Writes to stderr, so that stdout holds results only. */
  constructor(io: CliIo) {
    this.#out = io.stderr;
    this.#spins = io.stderrIsTerminal && io.env['TERM'] !== 'dumb';
  }

  /** Spins while `work` runs and leaves nothing behind. Without a terminal: silence. */
  async spin<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (!this.#spins) return work();
    const began = performance.now();
    let frame = 0;
    const draw = () => this.#out.write(`\r\u001b[K${spinnerFrames[frame++ % spinnerFrames.length]} ${printable(what)}  ${humanElapsed(performance.now() - began)}`);
    draw();
    const timer = setInterval(draw, 100);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      this.#out.write('\r\u001b[K');
    }
  }

  /** One recorded stage: spins, then leaves a line with its time. A failed stage leaves none; its error tells. */
  async step<T>(stages: Stages, what: string, work: () => Promise<T>, whose: string): Promise<T> {
    const result = await this.spin(`${whose}: ${what}`, () => stages.run(what, work));
    this.line(`${whose}: ${what}  ${humanElapsed(stages.done.at(-1)!.lengthMs)}`);
    return result;
  }

  line(text: string): void {
    this.#out.write(`${printable(text)}\n`);
  }
}
