/** What a person sees while a pull runs: bars on a terminal, a line a finished layer elsewhere. */
import { AdminService, type Pull } from '../../gen/admin.ts';
import type { CriClient } from './client.ts';
import { humanElapsed } from './human.ts';
import { printable, type CliIo } from './io.ts';
import { LiveLines } from './live-lines.ts';
import { barLines, completed, finishedLine, summaryLine, totalLine } from './pull-lines.ts';
import { spinnerFrames } from './progress.ts';

/** Between two looks at the daemon's figures, and between two drawings. */
const watchMs = 200;
const drawMs = 100;

interface Display {
  show(pull: Pull): void;
  /** The pull succeeded: its last figures stay as a line. */
  done(): void;
  /** Stops; a pull that failed leaves no lines of ours. */
  close(): void;
}

/**
 * Runs `work`, which has the daemon pull `image`, and shows on stderr how far it is. Of a runtime without our own API only the
 * time can be shown.
 */
export async function displayPull<T>(pull: { io: CliIo; cri: CriClient; image: string }, work: () => Promise<T>): Promise<T> {
  const { io, cri, image } = pull;
  const display = isLive(io) ? bars(io, image) : plainLines(io, image);
  const stop = new AbortController();
  const watching = watch(cri, image, stop.signal, display);
  try {
    const result = await work();
    display.done();
    return result;
  } finally {
    stop.abort();
    await watching;
    display.close();
  }
}

function isLive(io: CliIo): boolean {
  return io.stderrIsTerminal && io.env['TERM'] !== 'dumb' && !io.env['NO_COLOR'];
}

/** What goes wrong here (a runtime without our API, a daemon that ends) keeps nobody from pulling: the pull itself tells. */
async function watch(cri: CriClient, image: string, signal: AbortSignal, display: Display): Promise<void> {
  try {
    for await (const { pulls } of cri.stream(AdminService.watchPulls, { image, intervalMs: watchMs }, { act: 'watch pull', object: image, signal })) {
      const [pull] = pulls;
      if (pull !== undefined && !signal.aborted) display.show(pull);
    }
  } catch {
    return;
  }
}

function bars(io: CliIo, image: string): Display {
  const lines = new LiveLines(io.stderr);
  const began = performance.now();
  let latest: Pull | undefined;
  let frame = 0;
  const draw = (): void => {
    const { columns, rows } = lines.space;
    const spinner = spinnerFrames[frame++ % spinnerFrames.length];
    const head = `${spinner} pull ${printable(image)}  ${latest === undefined ? humanElapsed(performance.now() - began) : totalLine(latest)}`;
    lines.draw([head.slice(0, columns), ...(latest === undefined ? [] : barLines(latest, { columns, rows: rows - 1 }))]);
  };
  draw();
  const timer = setInterval(draw, drawMs);
  return {
    show: (pull) => (latest = pull),
    done() {
      lines.clear();
      if (latest !== undefined && latest.layers.length > 0) io.stderr.write(`${printable(image)}: ${summaryLine(completed(latest), performance.now() - began)}\n`);
    },
    close() {
      clearInterval(timer);
      lines.clear();
    },
  };
}

function plainLines(io: CliIo, image: string): Display {
  const began = performance.now();
  const told = new Set<string>();
  let latest: Pull | undefined;
  const show = (pull: Pull): void => {
    latest = pull;
    for (const layer of pull.layers) {
      const line = finishedLine(layer);
      if (line === undefined || told.has(layer.digest)) continue;
      told.add(layer.digest);
      io.stderr.write(`${printable(image)}: ${line}\n`);
    }
  };
  return {
    show,
    done() {
      if (latest === undefined || latest.layers.length === 0) return;
      const whole = completed(latest);
      show(whole);
      io.stderr.write(`${printable(image)}: ${summaryLine(whole, performance.now() - began)}\n`);
    },
    close: () => {},
  };
}
