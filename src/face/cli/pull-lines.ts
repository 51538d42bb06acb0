/** A pull's figures as lines for people: data in, lines out. */
import { LayerPhase, type Pull, type PullLayer } from '../../gen/admin.ts';
import { humanElapsed, humanSize } from './human.ts';
import { printable } from './io.ts';

export interface Space {
  readonly columns: number;
  readonly rows: number;
}

const longestBar = 30;
/** A shorter bar says nothing. */
const shortestBar = 8;

/** One line a layer, none wider than the terminal; what is under way comes first where there is no room for all. */
export function barLines({ layers }: Pull, space: Space): string[] {
  if (layers.length <= space.rows) return layers.map((layer) => layerLine(layer, space.columns));
  const moving = layers.filter(isMoving).slice(0, space.rows - 1);
  const count = (phases: readonly LayerPhase[]): number => layers.filter(({ phase }) => phases.includes(phase)).length;
  const rest = `${count([LayerPhase.LAYER_WAITING])} waiting, ${count([LayerPhase.LAYER_DONE])} done, ${count([LayerPhase.LAYER_HERE_ALREADY])} already here`;
  return [...moving.map((layer) => layerLine(layer, space.columns)), rest.slice(0, space.columns)];
}

/** The whole pull in a line: what it does, how far it is, how fast, how long yet. */
export function totalLine(pull: Pull): string {
  const { received, wanted, perSecond } = totals(pull);
  if (pull.layers.length === 0) return pull.stage;
  const figures = [`${humanSize(received)} of ${humanSize(wanted)}`, ...speed(perSecond, wanted - received)];
  return received >= wanted ? 'unpacking and recording' : figures.join('  ');
}

/** What travels for a pull, without the layers that were here. */
export function totals({ layers }: Pull): { received: number; wanted: number; perSecond: number } {
  const fetched = layers.filter(({ phase }) => phase !== LayerPhase.LAYER_HERE_ALREADY);
  const sum = (of: (layer: PullLayer) => bigint): number => fetched.reduce((total, layer) => total + Number(of(layer)), 0);
  return { received: sum((layer) => layer.bytesReceived), wanted: sum((layer) => layer.bytesWanted), perSecond: sum((layer) => layer.bytesPerSecond) };
}

/** A line for a layer that needs nothing more; undefined while it does. */
export function finishedLine({ digest, phase, bytesWanted }: PullLayer): string | undefined {
  if (phase === LayerPhase.LAYER_HERE_ALREADY) return `layer ${shortDigest(digest)} already here`;
  return phase === LayerPhase.LAYER_DONE ? `layer ${shortDigest(digest)} done, ${humanSize(bytesWanted)}` : undefined;
}

/** How a pull went, for its last line. */
export function summaryLine(pull: Pull, elapsedMs: number): string {
  const here = pull.layers.filter(({ phase }) => phase === LayerPhase.LAYER_HERE_ALREADY).length;
  const { wanted } = totals(pull);
  const fetched = pull.layers.length - here;
  const travelled = `${fetched} ${fetched === 1 ? 'layer' : 'layers'} with ${humanSize(wanted)} in ${humanElapsed(elapsedMs)}`;
  return [travelled, ...(here === 0 ? [] : [`${here} already here`])].join(', ');
}

/** A pull that succeeded, as it is now: what the last snapshot still showed under way has arrived. */
export function completed(pull: Pull): Pull {
  const layers = pull.layers.map((layer): PullLayer => (finishedLine(layer) !== undefined ? layer : { ...layer, phase: LayerPhase.LAYER_DONE, bytesReceived: layer.bytesWanted, bytesPerSecond: 0n }));
  return { ...pull, layers };
}

function layerLine(layer: PullLayer, columns: number): string {
  const name = shortDigest(layer.digest);
  const size = humanSize(layer.bytesWanted);
  switch (layer.phase) {
    case LayerPhase.LAYER_DOWNLOADING:
      return downloadLine(layer, name, columns);
    case LayerPhase.LAYER_UNPACKING:
      return `${name}  unpacking  ${size}`.slice(0, columns);
    case LayerPhase.LAYER_DONE:
      return `${name}  done  ${size}`.slice(0, columns);
    case LayerPhase.LAYER_HERE_ALREADY:
      return `${name}  already here`.slice(0, columns);
    default:
      return `${name}  waiting  ${size}`.slice(0, columns);
  }
}

/** The bar takes what the figures leave; where that is too little it goes, and then the time left and the rate. */
function downloadLine({ bytesReceived, bytesWanted, bytesPerSecond }: PullLayer, name: string, columns: number): string {
  const [received, wanted] = [Number(bytesReceived), Number(bytesWanted)];
  const figures = [`${humanSize(received)} of ${humanSize(wanted)}`, ...speed(Number(bytesPerSecond), wanted - received)];
  // Room for the widest figures, so that the bars of all layers end in one column.
  const room = Math.min(longestBar, columns - name.length - '  []  '.length - '999 MB of 999 MB  999 MB/s  99 m 59 s left'.length);
  if (room >= shortestBar) return `${name}  [${bar(received / Math.max(wanted, 1), room)}]  ${figures.join('  ')}`.slice(0, columns);
  while (figures.length > 1 && `${name}  ${figures.join('  ')}`.length > columns) figures.pop();
  return `${name}  ${figures.join('  ')}`.slice(0, columns);
}

function bar(part: number, width: number): string {
  const filled = Math.min(width, Math.floor(part * width));
  return filled === width ? '='.repeat(width) : `${'='.repeat(filled)}>`.padEnd(width);
}

/** Rate and time left, as far as there is a rate. */
function speed(perSecond: number, bytesLeft: number): string[] {
  if (perSecond <= 0) return [];
  return [`${humanSize(perSecond)}/s`, `${timeLeft(bytesLeft / perSecond)} left`];
}

function timeLeft(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole >= 100 * 60) return `${Math.round(whole / 3600)} h`;
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} m ${String(whole % 60).padStart(2, '0')} s`;
}

function isMoving({ phase }: PullLayer): boolean {
  return phase === LayerPhase.LAYER_DOWNLOADING || phase === LayerPhase.LAYER_UNPACKING;
}

function shortDigest(digest: string): string {
  return printable(digest.slice(digest.indexOf(':') + 1)).slice(0, 12);
}
