/** The Engine's log, with time stamps, as entries of a CRI log. */
import { FrameReader } from '../api/demultiplex.ts';
import type { OutputFrame } from '../api/demultiplex.ts';

export interface LogEntry {
  readonly time: string;
  /** The line of the CRI log, with its end. */
  readonly line: Buffer;
}

/** `2026-01-02T03:04:05.000000000Z ` */
const stampBytes = 31;
/** The Engine cuts longer lines into pieces of so many bytes. */
const pieceBytes = 16 * 1024;

/** Takes the Engine's answer apart as its bytes come. One for each answer. */
export class EntryReader {
  readonly #frames: FrameReader | undefined;
  #rest: Buffer[] = [];

  /** A terminal's log has no frames: entries follow one another. */
  constructor({ tty }: { readonly tty: boolean }) {
    this.#frames = tty ? undefined : new FrameReader();
  }

  push(chunk: Buffer): LogEntry[] {
    return this.#frames === undefined ? this.#pushTerminal(chunk) : this.#frames.push(chunk).flatMap((piece) => this.#pushPiece(piece));
  }

  #pushPiece({ stream, bytes, last }: OutputFrame): LogEntry[] {
    this.#rest.push(bytes);
    if (!last) return [];
    const whole = Buffer.concat(this.#rest);
    this.#rest = [];
    return [entryOf(stream, whole)];
  }

  #pushTerminal(chunk: Buffer): LogEntry[] {
    let bytes = Buffer.concat([...this.#rest, chunk]);
    const entries: LogEntry[] = [];
    for (let end = endOfEntry(bytes); end > 0; end = endOfEntry(bytes)) {
      entries.push(entryOf('stdout', bytes.subarray(0, end)));
      bytes = bytes.subarray(end);
    }
    this.#rest = [bytes];
    return entries;
  }
}

/** Of an entry at the beginning: behind its line end, or behind a piece of a longer line; 0 when it is not all there. */
function endOfEntry(bytes: Buffer): number {
  const lineEnd = bytes.indexOf(0x0a);
  if (lineEnd >= 0 && lineEnd <= stampBytes + pieceBytes) return lineEnd + 1;
  // A piece is told from the beginning of a line that is not all there by the time stamp behind it.
  return bytes.length > stampBytes + pieceBytes ? stampBytes + pieceBytes : 0;
}

function entryOf(stream: OutputFrame['stream'], bytes: Buffer): LogEntry {
  const time = bytes.subarray(0, stampBytes - 1).toString('latin1');
  const ended = bytes.at(-1) === 0x0a;
  const text = bytes.subarray(stampBytes, ended ? -1 : undefined);
  return { time, line: Buffer.concat([Buffer.from(`${time} ${stream} ${ended ? 'F' : 'P'} `), text, Buffer.from('\n')]) };
}
