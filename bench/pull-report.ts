/** What pulls took, as one table with ratios and targets. */
import { median } from './report.ts';
import type { MachineFacts } from './report.ts';

/** One pull by one program. */
export interface Pulled {
  readonly ms: number;
  /** The largest resident memory of its daemon meanwhile, in bytes; undefined for a program without one. */
  readonly peakBytes?: number;
  /** Processor time that it used, in milliseconds. */
  readonly cpuMs?: number;
}

export interface PullSeries {
  /** What was pulled, for people. */
  readonly image: string;
  /** At most so many times the peer's time; undefined: no target. */
  readonly target?: number;
  /** By the program's name: one pull a round, in the order of rounds. */
  readonly pulls: ReadonlyMap<string, readonly Pulled[]>;
}

export interface PullMeasured {
  readonly descriptions: readonly string[];
  readonly coldCache: boolean;
  readonly series: readonly PullSeries[];
}

/** Gantry, the peer and the plain download; ratios are medians of the rounds' ratios, as both sides of a round met the same machine. */
export function pullReportText(measured: PullMeasured, facts: MachineFacts): string {
  const table = [
    ['', 'Gantry', 'containerd', 'skopeo copy', '/peer', 'target', '', 'rounds', 'processor', 'peer', 'peak memory', 'peer'],
    ...measured.series.map(cells),
  ];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ').trimEnd());
  return [
    `${facts.cores} × ${facts.cpu}, ${facts.memoryGiB} GiB, ${facts.distribution}, kernel ${facts.kernel}, Node.js ${facts.node}, load ${facts.load.toFixed(1)}`,
    ...measured.descriptions,
    `PullImage over CRI from a registry on loopback, in turns, medians; ${measured.coldCache ? 'page cache dropped before each pull' : 'page cache WARM: this machine does not let it be dropped'}`,
    '',
    ...lines,
  ].join('\n');
}

function cells({ image, target, pulls }: PullSeries): string[] {
  const [ours, theirs, plain] = ['Gantry', 'containerd', 'skopeo'].map((name) => pulls.get(name) ?? []) as [readonly Pulled[], readonly Pulled[], readonly Pulled[]];
  const ratio = theirs.length === 0 ? undefined : median(ours.map(({ ms }, round) => ms / theirs[round]!.ms));
  const time = (some: readonly Pulled[]): string => (some.length === 0 ? '' : `${median(some.map(({ ms }) => ms)).toFixed(0)} ms`);
  const peak = (some: readonly Pulled[]): string => (some[0]?.peakBytes === undefined ? '' : `${(median(some.map(({ peakBytes }) => peakBytes ?? 0)) / 1e6).toFixed(0)} MB`);
  const cpu = (some: readonly Pulled[]): string => (some[0]?.cpuMs === undefined ? '' : `${median(some.map(({ cpuMs }) => cpuMs ?? 0)).toFixed(0)} ms`);
  const verdict = target === undefined ? ['', ''] : [`≤ ${target} × peer`, ratio === undefined ? '-' : ratio <= target ? 'met' : 'MISSED'];
  return [image, time(ours), time(theirs), time(plain), ratio?.toFixed(2) ?? '', ...verdict, String(ours.length), cpu(ours), cpu(theirs), peak(ours), peak(theirs)];
}
