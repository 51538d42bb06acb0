import { failure, isKind } from '../../../base/errors.ts';
import type { ContainerEngine } from '../../../engine/engine.ts';
import { ContainerState } from '../../../gen/cri.ts';
import type { LogLine } from '../../logs/cri-log.ts';
import { readLog } from '../../logs/log-file.ts';
import { inBatches } from '../in-batches.ts';
import type { DockerCall, Endpoint } from '../endpoint.ts';
import { namedItem } from '../item-facts.ts';
import { momentIn, momentOf, timestamp } from '../moments.ts';
import { isOn } from '../query.ts';
import { runtimeFacts } from '../runtime-facts.ts';

const streamNumbers = { stdout: 1, stderr: 2 } as const;
const statusEveryMs = 1000;

interface Wanted {
  readonly streams: ReadonlySet<string>;
  readonly since: bigint;
  readonly until: bigint | undefined;
  readonly timestamps: boolean;
  readonly terminal: boolean;
}

/** The lines of the CRI log file. Of a container with a terminal they come as they are, of others in frames that name their stream. */
export const containerLogs: Endpoint = {
  route: 'GET /containers/{id}/logs',
  async answer(call) {
    const { engine, query } = call;
    const streams = new Set(['stdout', 'stderr'].filter((name) => isOn(query, name)));
    if (streams.size === 0) throw failure('invalid-argument', { act: 'Bad parameters', why: 'you must choose at least one stream' });
    const since = momentIn(query, 'since') ?? 0n;
    const until = momentIn(query, 'until');
    const item = await namedItem(engine, call.param('id'));
    if (item.kind === 'pod') return { kind: 'stream', type: multiplexed(false, call), pieces: nothing() };

    const { status, info } = await engine.containers.status(item.id, true);
    const { terminal } = runtimeFacts(info);
    const path = status.logPath;
    if (path === '') throw failure('failed-precondition', { act: 'read the log of', object: item.name, why: 'its pod was made without a log directory, so nothing was kept' });
    for await (const _ of readLog(path, { tail: 0, signal: call.signal })); // one that cannot be read is told by the status of the answer
    const wanted = { streams, since, until, timestamps: isOn(query, 'timestamps'), terminal };
    return { kind: 'stream', type: multiplexed(terminal, call), pieces: inBatches(framed(lines(call, item.id, path, until), wanted)) };
  },
};

async function* nothing(): AsyncGenerator<never> {}

/** The type of older versions was the same for both. */
function multiplexed(terminal: boolean, { apiVersion }: DockerCall): string {
  return terminal || apiVersion < 42 ? 'application/vnd.docker.raw-stream' : 'application/vnd.docker.multiplexed-stream';
}

function lines({ query, engine, signal }: DockerCall, id: string, path: string, until: bigint | undefined): AsyncIterable<LogLine> {
  const tail = query.get('tail') ?? '';
  const since = momentIn(query, 'since');
  const ended = atMostEvery(statusEveryMs, () => hasEnded(engine.containers, id));
  const isPast = (): boolean => until !== undefined && BigInt(Date.now()) * 1_000_000n >= until;
  return readLog(path, {
    signal,
    ...(/^\d{1,9}$/.test(tail) ? { tail: Number(tail) } : {}),
    ...(since === undefined ? {} : { sinceMs: Number(since / 1_000_000n) }),
    ...(isOn(query, 'follow') ? { follow: { isOver: async () => isPast() || await ended() } } : {}),
  });
}

async function* framed(source: AsyncIterable<LogLine>, { streams, since, until, timestamps, terminal }: Wanted): AsyncGenerator<Buffer> {
  for await (const { time, stream, content } of source) {
    const moment = momentOf(time) ?? 0n;
    if (until !== undefined && moment > until) return;
    if (moment < since || !streams.has(stream)) continue;
    const text = Buffer.concat([Buffer.from(timestamps ? `${timestamp(moment)} ` : ''), content, newline]);
    if (!terminal) yield header(streamNumbers[stream], text.length);
    yield text;
  }
}

const newline = Buffer.from('\n');

/** Docker Engine API, "Attach to a container", stream format: the stream's number, three zeroes, the length in big endian. */
function header(stream: number, length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes[0] = stream;
  bytes.writeUInt32BE(length, 4);
  return bytes;
}

async function hasEnded(containers: ContainerEngine, id: string): Promise<boolean> {
  try {
    const { status: { state } } = await containers.status(id, false);
    return state !== ContainerState.CONTAINER_RUNNING && state !== ContainerState.CONTAINER_CREATED;
  } catch (error) {
    if (isKind(error, 'not-found')) return true;
    throw error;
  }
}

/** Asks when the last answer is older than `ms`, else gives that one. */
function atMostEvery(ms: number, ask: () => Promise<boolean>): () => Promise<boolean> {
  let [askedAt, answer] = [-Infinity, false];
  return async () => {
    if (!answer && performance.now() - askedAt >= ms) [answer, askedAt] = [await ask(), performance.now()];
    return answer;
  };
}
