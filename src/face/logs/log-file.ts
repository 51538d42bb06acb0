/** Reading a container's log file: all of it, its last lines, and what comes while it grows and is rotated. */
import { constants, open, stat, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, hasCode } from '../../base/errors.ts';
import { LogJoiner, longestFileLine, parsePiece, type LogLine, type LogStream } from './cri-log.ts';

const blockSize = 64 * 1024;
const pollMs = 200;
/** How far behind the wanted lines a beginning of a line in pieces is looked for. */
const furtherBack = 1024 * 1024;

export interface ReadLogOptions {
  /** Only the last so many lines. */
  readonly tail?: number;
  /** Only lines not older than this (milliseconds since 1970). */
  readonly sinceMs?: number;
  /** Go on at the end of the file until this says that nothing more will come (or the signal aborts). */
  readonly follow?: { isOver(): Promise<boolean> };
  readonly signal: AbortSignal;
}

/**
 * The lines of a CRI log file, pieces joined. When followed, a rotation (the file was renamed and a new one made, or it was
 * cut) is noticed: the old file is read to its end, then the new one. No such file: not-found.
 */
export async function* readLog(path: string, options: ReadLogOptions): AsyncGenerator<LogLine> {
  const wanted = (line: LogLine) => options.sinceMs === undefined || Date.parse(line.time) >= options.sinceMs;
  const joiner = new LogJoiner();
  let file = await openLog(path);
  try {
    const { size } = await file.stat();
    let position = options.tail === undefined ? 0 : await tailOffset(file, size, options.tail, options.signal);
    let end = options.tail === undefined ? undefined : size;
    // Of what is there now the last lines only: they are counted first, as nobody knows how much memory they would take. What comes later is handed out as it comes.
    let tooMany = options.tail === undefined ? 0 : await countLines(chunks(file, { from: position, end: size, signal: options.signal }), wanted) - options.tail;

    for (;;) {
      for await (const chunk of chunks(file, { from: position, end, signal: options.signal })) {
        position += chunk.length;
        for (const line of joiner.push(chunk)) if (wanted(line) && tooMany-- <= 0) yield line;
      }
      [end, tooMany] = [undefined, 0];
      if (!options.follow || options.signal.aborted) break;

      const over = await options.follow.isOver();
      const next = await rotated(path, file, position);
      if (next === 'cut') {
        position = 0;
      } else if (next) {
        // The last words may have come between our read and the rename.
        for await (const chunk of chunks(file, { from: position, end: undefined, signal: options.signal })) yield* [...joiner.push(chunk)].filter(wanted);
        await file.close();
        file = next;
        position = 0;
      } else if ((await file.stat()).size === position) {
        if (over) break;
        await sleep(pollMs, undefined, { signal: options.signal }).catch(() => undefined);
      }
    }
    for (const line of joiner.flush()) if (wanted(line)) yield line;
  } finally {
    await file.close();
  }
}

/** Not what a pod that can write to the node's log directory put in the place of a log: a link to a file of root, a pipe that nobody writes to. */
const plainly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

async function openLog(path: string): Promise<FileHandle> {
  const act = 'read log';
  const file = await open(path, plainly).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) {
      throw failure('not-found', { act, object: path, why: 'there is no such file: the container wrote nothing yet, or its log was removed', cause: error });
    }
    if (hasCode(error, 'ELOOP')) throw failure('failed-precondition', { act, object: path, why: 'it is a link, and a log is a file', cause: error });
    throw failure('internal', { act, object: path, cause: error });
  });
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw failure('failed-precondition', { act, object: path, why: 'it is not a plain file' });
}

async function countLines(bytes: AsyncIterable<Buffer>, wanted: (line: LogLine) => boolean): Promise<number> {
  const joiner = new LogJoiner();
  let count = 0;
  for await (const chunk of bytes) for (const line of joiner.push(chunk)) if (wanted(line)) count++;
  return count;
}

interface Part {
  readonly from: number;
  /** Undefined: the end of the file. */
  readonly end: number | undefined;
  readonly signal: AbortSignal;
}

/** In one buffer, which is used again. */
async function* chunks(file: FileHandle, { from, end, signal }: Part): AsyncGenerator<Buffer> {
  const buffer = Buffer.alloc(blockSize);
  for (let position = from; !signal.aborted && (end === undefined || position < end); ) {
    const length = end === undefined ? blockSize : Math.min(blockSize, end - position);
    const { bytesRead } = await file.read(buffer, 0, length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** A new file at the path, `cut` when ours became shorter than what was read, undefined when all is as it was. */
async function rotated(path: string, file: FileHandle, position: number): Promise<FileHandle | 'cut' | undefined> {
  const ours = await file.stat();
  const there = await stat(path).catch(() => undefined);
  if (!there) return undefined; // renamed, and the new one not yet made
  if (there.ino !== ours.ino || there.dev !== ours.dev) return openLog(path).catch(() => undefined);
  return ours.size < position ? 'cut' : undefined;
}

/**
 * Where to begin so that the last `lines` lines are whole: backwards from the end over that many line ends, then on until
 * both streams are seen to stand between lines. The reader drops what is too much.
 */
async function tailOffset(file: FileHandle, size: number, lines: number, signal: AbortSignal): Promise<number> {
  const settled = new Set<LogStream>();
  let ends = 0;
  let enoughAt: number | undefined;
  for await (const { piece, start } of linesBackwards(file, size)) {
    if (signal.aborted) return size;
    if (enoughAt !== undefined && (settled.size === 2 || enoughAt - start > furtherBack)) return start;
    if (!piece) continue;
    if (!piece.partial) {
      ends++;
      if (ends > lines) {
        enoughAt ??= start;
        settled.add(piece.stream);
      }
    }
  }
  return 0;
}

async function* linesBackwards(file: FileHandle, size: number): AsyncGenerator<{ piece: ReturnType<typeof parsePiece>; start: number }> {
  let end = size;
  let rest: Buffer = Buffer.alloc(0);
  let isPassing = false;
  while (end > 0) {
    const start = Math.max(0, end - blockSize);
    const block = Buffer.alloc(end - start);
    await file.read(block, 0, block.length, start);
    const data = Buffer.concat([block, rest]);
    let to = data.length;
    for (let newline = data.lastIndexOf(0x0a, to - 1); newline >= 0 && to > 0; newline = to > 0 ? data.lastIndexOf(0x0a, to - 1) : -1) {
      if (newline + 1 < to || isPassing) yield { piece: isPassing ? undefined : parsePiece(data.subarray(newline + 1, to)), start: start + newline + 1 };
      isPassing = false;
      to = newline;
    }
    isPassing ||= to > longestFileLine;
    rest = isPassing ? Buffer.alloc(0) : data.subarray(0, to);
    if (isPassing) yield { piece: undefined, start };
    end = start;
  }
}
