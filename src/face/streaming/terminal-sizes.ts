import type { Readable } from 'node:stream';
import type { TerminalSize } from '../../engine/stream-engine.ts';

/** A size is some thirty characters long; what has no end after so many is none. */
const longestSize = 1024;
const mostCells = 0xffff;

/**
 * JSON objects `{"Width":80,"Height":24}` one after the other, in pieces as they arrive, to sizes. What is no such object, or
 * no size of a terminal, is passed over.
 */
export class TerminalSizeDecoder {
  #text = '';

  decode(chunk: Buffer): TerminalSize[] {
    const parts = (this.#text + chunk.toString('latin1')).split('}');
    const rest = parts.pop()!;
    this.#text = rest.length > longestSize ? '' : rest;
    return parts.flatMap((part) => sizeIn(`${part.trimStart()}}`) ?? []);
  }
}

function sizeIn(text: string): TerminalSize | undefined {
  if (text.length > longestSize) return undefined;
  try {
    const { Width: columns, Height: rows } = JSON.parse(text) as { Width?: unknown; Height?: unknown };
    return isCells(columns) && isCells(rows) ? { columns, rows } : undefined;
  } catch {
    return undefined;
  }
}

function isCells(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= mostCells;
}

/** The sizes that come on a stream of the client until it ends; of several that nobody took yet only the newest. */
export async function* terminalSizes(stream: Readable | undefined, signal: AbortSignal): AsyncGenerator<TerminalSize> {
  if (stream === undefined) return;
  const decoder = new TerminalSizeDecoder();
  let newest: TerminalSize | undefined;
  let over = signal.aborted;
  let wake = (): void => {};
  const end = (): void => {
    over = true;
    wake();
  };
  stream.on('data', (chunk: Buffer) => {
    newest = decoder.decode(chunk).at(-1) ?? newest;
    wake();
  });
  for (const event of ['end', 'close', 'error']) stream.on(event, end);
  signal.addEventListener('abort', end);
  try {
    for (;;) {
      if (newest !== undefined) {
        const size: TerminalSize = newest;
        newest = undefined;
        yield size;
      } else if (over) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    signal.removeEventListener('abort', end);
  }
}
