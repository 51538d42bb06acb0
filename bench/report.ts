/** What was measured, as one table with ratios and targets. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import type { PodTimes } from './driver.ts';
import type { FloorTimes } from './floor.ts';

export interface RuntimeMeasured {
  readonly name: string;
  readonly description: string;
  readonly pods: readonly PodTimes[];
  readonly listMs: number;
  readonly memoryPerPod: number;
  readonly idle: { readonly bytes: number; readonly cpuPercent: number };
}

export interface Measured {
  /** Gantry first, then the peer if there is one. */
  readonly runtimes: readonly RuntimeMeasured[];
  readonly floor: readonly FloorTimes[];
}

export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly distribution: string;
  readonly node: string;
  /** One-minute load average at the end: a busy machine widens every figure. */
  readonly load: number;
}

export function machineFacts(): MachineFacts {
  const release = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release(),
    distribution: release,
    node: process.version,
    load: os.loadavg()[0]!,
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** One line of the table; a target that is a ratio names what it is taken against. */
interface Row {
  readonly what: string;
  readonly unit: 'ms' | 'MB' | '%';
  value(runtime: RuntimeMeasured): number;
  readonly floor?: number;
  /** At most so many times the peer, the floor, or at most so much. */
  readonly target?: { readonly against: 'peer' | 'floor' | 'unit'; readonly most: number };
}

const MB = 1e6;

function rowsOf(floor: readonly FloorTimes[]): readonly Row[] {
  const floorOf = (name: keyof FloorTimes): number => median(floor.map((times) => times[name]));
  const pod = (what: string, name: Exclude<keyof PodTimes, 'execSync'>): Row => ({
    what, unit: 'ms', value: ({ pods }) => median(pods.map((times) => times[name])),
  });
  const podStart = { ...pod('pod start', 'podStart'), floor: floorOf('podStart') };
  return [
    { ...podStart, target: { against: 'peer', most: 0.45 } },
    { ...podStart, what: '  against the floor', target: { against: 'floor', most: 1.3 } },
    { ...pod('  RunPodSandbox', 'runPod'), floor: floorOf('namespaces') + floorOf('cni') },
    { ...pod('  CreateContainer', 'create'), floor: floorOf('overlay') + floorOf('create') },
    { ...pod('  StartContainer', 'start'), floor: floorOf('start') },
    { what: 'ExecSync true', unit: 'ms', value: ({ pods }) => median(pods.flatMap((times) => times.execSync)), target: { against: 'peer', most: 0.5 } },
    pod('StopPodSandbox', 'stop'),
    pod('RemovePodSandbox', 'remove'),
    { what: 'ListContainers(200)', unit: 'ms', value: ({ listMs }) => listMs, target: { against: 'peer', most: 1 } },
    { what: 'memory a pod', unit: 'MB', value: ({ memoryPerPod }) => memoryPerPod / MB, target: { against: 'peer', most: 0.25 } },
    { what: 'idle memory', unit: 'MB', value: ({ idle }) => idle.bytes / MB, target: { against: 'unit', most: 100 } },
    { what: 'idle processor', unit: '%', value: ({ idle }) => idle.cpuPercent, target: { against: 'unit', most: 0.5 } },
  ];
}

/** The table: Gantry, the peer, the floor, the ratios and whether each target is met. */
export function reportText(measured: Measured, facts: MachineFacts, floorRuntime: string): string {
  const [gantry, peer] = measured.runtimes as [RuntimeMeasured, RuntimeMeasured | undefined];
  const table = [
    ['', 'Gantry', peer?.name ?? '-', 'floor', '/peer', '/floor', 'target', ''],
    ...rowsOf(measured.floor).map((row) => cells(row, gantry, peer)),
  ];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ').trimEnd());
  return [
    `${facts.cores} × ${facts.cpu}, ${facts.memoryGiB} GiB, ${facts.distribution}, kernel ${facts.kernel}, Node.js ${facts.node}, load ${facts.load.toFixed(1)}`,
    ...measured.runtimes.map(({ description }) => description),
    `floor: namespaces, CNI, overlay, conmon and ${floorRuntime} by hand; medians of ${measured.floor.length} pods, in turns`,
    '',
    ...lines,
  ].join('\n');
}

function cells(row: Row, gantry: RuntimeMeasured, peer: RuntimeMeasured | undefined): string[] {
  const ours = row.value(gantry);
  const theirs = peer === undefined ? undefined : row.value(peer);
  const toPeer = theirs === undefined || row.unit === '%' ? undefined : ours / theirs;
  const toFloor = row.floor === undefined ? undefined : ours / row.floor;
  const ratio = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(2));
  const measure = (value: number | undefined): string => (value === undefined ? '' : `${value.toFixed(value < 10 ? 2 : 1)} ${row.unit}`);
  return [row.what, measure(ours), measure(theirs), measure(row.floor), ratio(toPeer), ratio(toFloor), ...targetCells(row, { ours, toPeer, toFloor })];
}

function targetCells({ target, unit }: Row, { ours, toPeer, toFloor }: { ours: number; toPeer: number | undefined; toFloor: number | undefined }): [string, string] {
  if (target === undefined) return ['', ''];
  const reached = { peer: toPeer, floor: toFloor, unit: ours }[target.against];
  const text = target.against === 'unit' ? `≤ ${target.most} ${unit}` : `≤ ${target.most} × ${target.against}`;
  return [text, reached === undefined ? '-' : reached <= target.most ? 'met' : 'MISSED'];
}
