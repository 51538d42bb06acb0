import { ContainerState, RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import { failure, isKind } from '../../../base/errors.ts';
import { UsageError, type Arguments } from '../arguments.ts';
import type { CriClient } from '../client.ts';
import type { Command } from '../command.ts';
import { findOne, type Findable } from '../find.ts';
import { parseDuration } from '../human.ts';
import { listContainers } from '../inventory.ts';
import { write } from '../io.ts';
import { readLog } from '../../logs/log-file.ts';

/** How often a followed container is asked whether it still runs. */
const statusEveryMs = 1000;

export const logs: Command = {
  name: 'logs',
  summary: 'print what a container wrote',
  usage: 'gantry logs [flags] CONTAINER',
  details: "What came from stderr goes to stderr. A pod's name means its only running container.",
  flags: [
    { name: 'follow', short: 'f', help: 'go on until the container ends' },
    { name: 'tail', short: 'n', value: 'N', help: "only the last N lines; 'all' (default) or -1 for all" },
    { name: 'since', value: 'WHEN', help: 'only lines younger than 10m, or than 2026-01-31T12:00:00Z' },
    { name: 'since-time', value: 'TIME', help: 'only lines younger than 2026-01-31T12:00:00Z' },
    { name: 'previous', short: 'p', help: 'of the attempt before this one' },
    { name: 'timestamps', short: 't', help: 'print the time in front of each line' },
  ],
  operands: ['CONTAINER'],
  examples: ['gantry logs --tail 20 web/client', 'gantry logs -f --since 10m web/web', 'gantry logs -p web/web'],

  async run(args, { io, connect }) {
    const tail = ['all', '-1'].includes(args.text('tail') ?? 'all') ? undefined : args.whole('tail');
    const sinceMs = sinceOf(args);
    const cri = await connect();
    const containers = await listContainers(cri);
    const named = findOne(args.operands[0]!, containers, 'find container');
    const found = args.on('previous') ? attemptBefore(named, containers) : named;
    const { status } = await cri.call(runtime.containerStatus, { containerId: found.id, verbose: false }, { act: 'ask for container', object: found.title });
    if (!status?.logPath) {
      throw failure('failed-precondition', { act: 'read the log of', object: found.title, why: 'its pod was made without a log directory, so nothing was kept' });
    }

    const follow = args.on('follow') ? { isOver: atMostEvery(statusEveryMs, () => hasEnded(cri, found)) } : undefined;
    const options = { signal: io.signal, ...(tail === undefined ? {} : { tail }), ...(sinceMs === undefined ? {} : { sinceMs }), ...(follow ? { follow } : {}) };
    for await (const line of readLog(status.logPath, options)) {
      const prefix = args.on('timestamps') ? `${line.time} ` : '';
      await write(line.stream === 'stderr' ? io.stderr : io.stdout, Buffer.concat([Buffer.from(prefix), line.content, Buffer.from('\n')]));
    }
    return 0;
  },
};

async function hasEnded(cri: CriClient, found: Findable): Promise<boolean> {
  try {
    const { status } = await cri.call(runtime.containerStatus, { containerId: found.id, verbose: false }, { act: 'ask for container', object: found.title });
    return status?.state !== ContainerState.CONTAINER_RUNNING && status?.state !== ContainerState.CONTAINER_CREATED;
  } catch (error) {
    if (isKind(error, 'not-found') || isKind(error, 'cancelled')) return true;
    throw error;
  }
}

/** Asks when the last answer is older than `ms`, else gives that one. The first answer is asked for at once. */
function atMostEvery(ms: number, ask: () => Promise<boolean>): () => Promise<boolean> {
  let askedAt = -Infinity;
  let answer = false;
  return async () => {
    if (!answer && performance.now() - askedAt >= ms) {
      answer = await ask();
      askedAt = performance.now();
    }
    return answer;
  };
}

/** The newest of those that had the same name before; a kubelet keeps one for this. */
function attemptBefore(named: Findable, containers: readonly Findable[]): Findable {
  const before = containers.filter(({ title, createdAt }) => title === named.title && createdAt < named.createdAt);
  if (before.length === 0) throw failure('not-found', { act: 'find container', object: named.title, why: 'there was no attempt before this one, or it was removed' });
  return before.reduce((newest, one) => (one.createdAt > newest.createdAt ? one : newest));
}

function sinceOf(args: Arguments): number | undefined {
  const [since, time] = [args.text('since'), args.text('since-time')];
  if (since !== undefined && time !== undefined) throw new UsageError('--since and --since-time mean the same: give one');
  if (time !== undefined) return momentOf(time) ?? refuse('--since-time wants a time such as 2026-01-31T12:00:00Z', time);
  if (since === undefined) return undefined;
  const ago = parseDuration(since);
  return ago === undefined ? (momentOf(since) ?? refuse('--since wants an age such as 10m or a time such as 2026-01-31T12:00:00Z', since)) : Date.now() - ago;
}

function momentOf(text: string): number | undefined {
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? undefined : moment;
}

function refuse(wanted: string, text: string): never {
  throw new UsageError(`${wanted}, not ${JSON.stringify(text)}`);
}
