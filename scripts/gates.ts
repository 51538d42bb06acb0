/** The quick checks that need no root: each one program, run beside one another. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';

export const repository = path.join(import.meta.dirname, '..');

export interface GateResult {
  readonly name: string;
  readonly passed: boolean;
  readonly seconds: number;
  /** All it wrote, of both streams. */
  readonly output: string;
}

const gates: readonly { name: string; file: string; args: readonly string[] }[] = [
  { name: 'types', file: 'tsc', args: ['-p', 'tsconfig.check.json'] },
  { name: 'build', file: 'tsc', args: ['-b'] },
  { name: 'lint', file: 'oxlint', args: ['--deny-warnings', 'src', 'test', 'scripts', 'bench', 'demo'] },
  { name: 'floors', file: 'node', args: ['scripts/check-floors.ts'] },
  { name: 'rpcs', file: 'node', args: ['scripts/check-rpcs.ts'] },
  { name: 'wire', file: 'node', args: ['scripts/check-wire.ts'] },
];

/** Runs every gate, two at a time, and hands each result on as it comes. Aborting the signal ends them. */
export async function runGates(report: (result: GateResult) => void, signal: AbortSignal): Promise<GateResult[]> {
  const waiting = [...gates];
  const results: GateResult[] = [];
  const worker = async (): Promise<void> => {
    for (let gate = waiting.shift(); gate !== undefined && !signal.aborted; gate = waiting.shift()) {
      const result = await runGate(gate, signal);
      results.push(result);
      report(result);
    }
  };
  await Promise.all([worker(), worker()]);
  return results;
}

async function runGate({ name, file, args }: (typeof gates)[number], signal: AbortSignal): Promise<GateResult> {
  const began = performance.now();
  const child = spawn(file, args, { cwd: repository, stdio: ['ignore', 'pipe', 'pipe'], signal });
  child.on('error', () => {}); // 'close' follows, without an exit code
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { name, passed: code === 0, seconds: (performance.now() - began) / 1000, output: out + err };
}

/** One line a gate, with its output below where it failed. */
export function gateLine({ name, passed, seconds, output }: GateResult): string {
  const line = `${passed ? 'ok    ' : 'FAILED'} ${name.padEnd(8)} ${seconds.toFixed(1)} s`;
  return passed ? line : `${line}\n${output.trimEnd().replace(/^/gm, '  ')}`;
}
