/** The demo's voice: each step with the time it took; colours on a terminal only. */
import { styleText } from 'node:util';

export interface Stages {
  /** Says what begins, does it, and says how long it took. Begins nothing once the signal is aborted, but throws its reason. */
  run<T>(what: string, work: () => Promise<T>): Promise<T>;
  /** Lines that belong to the step before, indented. */
  show(text: string): void;
  /** The list of all steps with their times. */
  summary(): string;
}

type Style = 'bold' | 'dim' | 'green' | 'red';

export function stages(output: NodeJS.WriteStream, signal: AbortSignal, env: NodeJS.ProcessEnv = process.env): Stages {
  const coloured = output.isTTY && (env.NO_COLOR ?? '') === '';
  const paint = (style: Style, text: string): string => (coloured ? styleText(style, text, { validateStream: false }) : text);
  const done: { what: string; ms: number }[] = [];
  return {
    async run(what, work) {
      signal.throwIfAborted();
      output.write(`${paint('bold', what)} … `);
      const began = performance.now();
      try {
        const result = await work();
        const ms = performance.now() - began;
        done.push({ what, ms });
        output.write(`${paint('green', 'done')} ${paint('dim', duration(ms))}\n`);
        return result;
      } catch (error) {
        output.write(`${paint('red', 'failed')} ${paint('dim', duration(performance.now() - began))}\n`);
        throw error;
      }
    },
    show(text) {
      output.write(`${text.trimEnd().replace(/^(?=.)/gm, '    ')}\n`);
    },
    summary() {
      const width = Math.max(...done.map(({ what }) => what.length));
      return done.map(({ what, ms }) => `${what.padEnd(width)}  ${duration(ms).padStart(8)}`).join('\n');
    },
  };
}

function duration(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
