/** The processes of a container as those see them who look for the ones of an exec: with what the environment tells of where they come from. */
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { execMarker } from './exec-files.ts';
import { readProcessStat } from './process-ref.ts';
import type { ProcessStat } from './process-ref.ts';

export interface SeenProcess extends ProcessStat {
  /** `NAME=value` of every exec marker in the environment that it was started with. */
  readonly markers: readonly string[];
}

/** By pid. */
export type SeenProcesses = ReadonlyMap<number, SeenProcess>;

interface Look {
  readonly seen: Promise<SeenProcesses>;
  begun: boolean;
}

/** Reading an environment can block on a stuck process's memory lock. */
const readDeadlineMs = 200;
/** Most environments are smaller; a page at a time costs the kernel more. */
const readBytes = 8192;

const latestLooks = new Map<string, Look>();

/**
 * The processes that live in the container now: what is returned was looked at after the call. Calls for one container that come while
 * there is a look at it share the one that follows: many sessions that end at once would else each look at all the others.
 */
export function lookAtProcesses(container: string, containerPids: () => readonly number[]): Promise<SeenProcesses> {
  const last = latestLooks.get(container);
  if (last?.begun === false) return last.seen;
  const afterLast = last === undefined ? Promise.resolve() : last.seen.then(() => {}, () => {});
  const look: Look = {
    begun: false,
    seen: afterLast.then(async () => {
      look.begun = true;
      try {
        return await liveProcesses(containerPids());
      } finally {
        if (latestLooks.get(container) === look) latestLooks.delete(container);
      }
    }),
  };
  latestLooks.set(container, look);
  return look.seen;
}

async function liveProcesses(pids: readonly number[]): Promise<SeenProcesses> {
  const late = sleep(readDeadlineMs, [], { ref: false });
  const seen = await Promise.all(pids.map(async (pid): Promise<[number, SeenProcess] | undefined> => {
    const stat = readProcessStat(pid);
    if (stat === undefined || stat.state === 'Z' || stat.state === 'X') return undefined;
    return [pid, { ...stat, markers: await Promise.race([markersOf(pid), late]) }];
  }));
  return new Map(seen.filter((one) => one !== undefined));
}

async function markersOf(pid: number): Promise<string[]> {
  const variables = (await environmentOf(pid)).split('\0');
  return variables.filter((variable) => variable.startsWith(`${execMarker}=`));
}

/** As far as it could be read: the process may end meanwhile. `readFile` takes 64 KiB for each of these files, as they do not say how long they are. */
async function environmentOf(pid: number): Promise<string> {
  let text = '';
  try {
    await using file = await open(`/proc/${pid}/environ`);
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(readBytes));
      if (bytesRead === 0) break;
      text += buffer.toString('latin1', 0, bytesRead);
    }
  } catch {
    // It has ended.
  }
  return text;
}
