/**
 * The CRI log format (kubernetes/design-proposals "kubelet-cri-logging"): `TIME STREAM TAG CONTENT`, where TAG begins with P
 * for a piece of a longer line and F for its end. Contents are bytes: a container may write anything.
 */

export type LogStream = 'stdout' | 'stderr';

/** One line as the container wrote it, without its newline; the time is that of its first piece. */
export interface LogLine {
  readonly time: string;
  readonly stream: LogStream;
  readonly content: Buffer;
}

export interface LogPiece extends LogLine {
  readonly partial: boolean;
}

const space = 0x20;
/** A line longer than this is handed out in parts: memory is bounded whatever a container writes. */
const longestLine = 1024 * 1024;

/** A line of the file that is longer has nothing of the format, and is passed over. */
export const longestFileLine = longestLine + 1024;

/** Parses one line of the file; undefined for what is not in the format (a torn write after a crash). */
export function parsePiece(line: Buffer): LogPiece | undefined {
  const afterTime = line.indexOf(space);
  const afterStream = line.indexOf(space, afterTime + 1);
  if (afterTime < 1 || afterStream < 0) return undefined;
  const stream = line.toString('latin1', afterTime + 1, afterStream);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  // Some writers leave out the blank before empty content.
  const afterTag = line.indexOf(space, afterStream + 1);
  const tag = line.toString('latin1', afterStream + 1, afterTag < 0 ? line.length : afterTag).split(':')[0];
  if (tag !== 'P' && tag !== 'F') return undefined;
  const content = afterTag < 0 ? Buffer.alloc(0) : line.subarray(afterTag + 1);
  return { time: line.toString('latin1', 0, afterTime), stream, content, partial: tag === 'P' };
}

/** Joins pieces to lines, each stream for itself. Feed it bytes as they come from the file, in any cut. */
export class LogJoiner {
  #rest: Buffer = Buffer.alloc(0);
  /** Until the end of a line that is too long. */
  #isPassing = false;
  readonly #open = new Map<LogStream, { time: string; parts: Buffer[]; size: number }>();

  *push(chunk: Buffer): Generator<LogLine> {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let from = 0;
    for (let end = data.indexOf(0x0a, from); end >= 0; end = data.indexOf(0x0a, from)) {
      const piece = this.#isPassing ? undefined : parsePiece(data.subarray(from, end));
      this.#isPassing = false;
      from = end + 1;
      const line = piece && this.#join(piece);
      if (line) yield line;
    }
    const rest = data.subarray(from);
    this.#isPassing ||= rest.length > longestFileLine;
    // A copy, since the reader uses its buffer again.
    this.#rest = this.#isPassing ? Buffer.alloc(0) : Buffer.from(rest);
  }

  /** What began and was never ended: after a crash, or when the file ends while the container still writes. */
  *flush(): Generator<LogLine> {
    for (const [stream, { time, parts }] of this.#open) yield { time, stream, content: Buffer.concat(parts) };
    this.#open.clear();
    this.#rest = Buffer.alloc(0);
  }

  #join(piece: LogPiece): LogLine | undefined {
    const open = this.#open.get(piece.stream) ?? { time: piece.time, parts: [], size: 0 };
    open.parts.push(Buffer.from(piece.content));
    open.size += piece.content.length;
    if (piece.partial && open.size < longestLine) {
      this.#open.set(piece.stream, open);
      return undefined;
    }
    this.#open.delete(piece.stream);
    return { time: open.time, stream: piece.stream, content: Buffer.concat(open.parts) };
  }
}
