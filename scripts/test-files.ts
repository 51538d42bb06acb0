/** Runs test files with node:test, each in a process of its own, and prints a line a file, the whole story only of what failed. */
import { globSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { inspect } from 'node:util';
import { gvisorExceptions, gvisorFiles } from '../test/support/gvisor-exceptions.ts';
import { patience } from '../test/support/patience.ts';
import { repository } from './gates.ts';

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export type TierName = 'unit' | 'root' | 'node';

/** The test files of a tier, as paths from the repository's root, sorted. */
export function filesOf(tier: TierName): string[] {
  const find = (pattern: string): string[] => globSync(pattern, { cwd: repository, exclude: ['**/node_modules/**', 'dist/**'] });
  if (tier === 'node') return find('test/node/**/*.test.ts').sort();
  const all = find('{src,scripts,test/support,test/vm,bench,demo}/**/*.test.ts').sort();
  return all.filter((file) => file.endsWith('.root.test.ts') === (tier === 'root'));
}

export interface FileRun {
  readonly files: readonly string[];
  /** Runs only the tests whose names match; without it all. */
  readonly tests?: RegExp | undefined;
  /** How many files at once. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
  /** Hears of each test as it ends. */
  readonly onTest?: (line: string) => void;
}

type Report = { name: string; file?: string; line?: number; skip?: string | boolean; todo?: string | boolean; details: { type?: string; error?: Error; duration_ms?: number } };

/** How long one file may take. */
const fileTimeoutMs = 5 * 60_000 * patience;

function exactly(name: string): RegExp {
  return new RegExp(`^${name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`);
}

/** Runs the files to their end and counts their tests. A test that is cancelled, by the signal too, counts as failed. */
export async function runFiles({ files: asked, tests, concurrency, signal, print, onTest }: FileRun): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const [leftOut, filesLeftOut] = process.env.RUNTIME === 'runsc' ? [gvisorExceptions, gvisorFiles] : [[], []];
  const files = asked.filter((name) => !filesLeftOut.some(({ file }) => file === name));
  if (files.length === 0) return counts;
  for (const { test, why } of leftOut) print(`  not with gVisor: ${test}: ${why}`);
  for (const { file, why } of filesLeftOut) print(`  not with gVisor: ${file}: ${why}`);
  const story = new Map<string, string[]>();
  const tell = (file: string | undefined, text: string): void => {
    const key = file ?? '';
    story.set(key, [...(story.get(key) ?? []), text]);
  };
  const told = (file: string): string[] => story.get(file) ?? [];
  /** Tests that a file takes from a suite are told by the suite's name. */
  const toldOfSuites = (): string[] => [...story.keys()].filter((file) => file.endsWith('.suite.ts')).flatMap((file) => {
    const texts = told(file);
    story.delete(file);
    return texts;
  });
  const stream = run({ files: files.map((file) => path.join(repository, file)), cwd: repository, concurrency, signal, timeout: fileTimeoutMs, testSkipPatterns: leftOut.map(({ test }) => exactly(test)), ...(tests === undefined ? {} : { testNamePatterns: [tests] }) });
  stream.on('test:stdout', ({ file, message }) => tell(file, message));
  stream.on('test:stderr', ({ file, message }) => tell(file, message));
  stream.on('test:pass', (report: Report) => {
    onTest?.(asItEnds('ok', report));
    if (report.skip !== undefined) print(`  skipped: ${report.name}${typeof report.skip === 'string' ? `: ${report.skip}` : ''}`);
  });
  stream.on('test:fail', (report: Report) => {
    onTest?.(asItEnds('not ok', report));
    if (report.details.type !== 'suite' || isHookFailure(report.details.error)) tell(report.file, `not ok: ${report.name}\n${errorText(report.details.error)}\n`);
  });
  stream.on('test:summary', ({ file, counts: of, duration_ms: ms }) => {
    if (file === undefined) {
      counts.passed = of.passed;
      counts.failed = of.tests - of.passed - of.skipped - of.todo;
      counts.skipped = of.skipped + of.todo;
      return;
    }
    const failed = of.tests - of.passed - of.skipped - of.todo;
    print(`${failed === 0 ? 'ok    ' : 'FAILED'} ${path.relative(repository, file)}  ${of.passed} passed${failed === 0 ? '' : `, ${failed} failed`}, ${(ms / 1000).toFixed(1)} s`);
    if (failed > 0) print([...told(file), ...toldOfSuites()].join('').trimEnd().replace(/^/gm, '    '));
    story.delete(file);
  });
  stream.resume();
  await new Promise<void>((resolve) => {
    stream.once('end', resolve);
    stream.once('close', resolve);
    stream.once('error', () => resolve());
  });
  for (const [file, texts] of story) print(`FAILED ${path.relative(repository, file)}  before its first test\n${texts.join('').trimEnd().replace(/^/gm, '    ')}`);
  if (signal.aborted) counts.failed++;
  return counts;
}

function asItEnds(word: string, { name, details }: Report): string {
  return `    ${word}: ${name}, ${((details.duration_ms ?? 0) / 1000).toFixed(1)} s`;
}

/** A suite fails with its tests, which tell why themselves, or with its hook, and then its tests only say that they were cancelled. */
function isHookFailure(error: (Error & { failureType?: string }) | undefined): boolean {
  return error?.failureType === 'hookFailed';
}

const longestError = 60;

/** The assertion that failed, not the runner's wrapper around it; of a very long one the beginning. */
function errorText(error: Error | undefined): string {
  const shown = error?.cause ?? error;
  const lines = (typeof shown === 'string' ? shown : inspect(shown, { depth: 4 })).split('\n');
  const more = lines.length - longestError;
  return more <= 0 ? lines.join('\n') : [...lines.slice(0, longestError), `… ${more} more lines`].join('\n');
}
