import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, hasCode } from '../../base/errors.ts';
import type { HeldThing } from '../../base/held-thing.ts';
import { namesIn } from '../../host/held-files.ts';
import { processAlive, processRef } from './process-ref.ts';
import type { ProcessRef } from './process-ref.ts';

/** Linux counts the start of a process in hundredths of a second on every architecture. */
const nsPerTick = 10_000_000n;
const endDeadlineMs = 2000;

/** Every conmon that writes into this exit directory, which makes it ours. */
export async function heldMonitors(exitDir: string): Promise<HeldThing[]> {
  const pids = (await namesIn('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const uptime = Number((await readFile('/proc/uptime', 'latin1')).split(' ')[0]);
  const bootNs = BigInt(Math.round(Date.now() - uptime * 1000)) * 1_000_000n;
  const found = await Promise.all(pids.map(async (pid): Promise<HeldThing[]> => {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0'); // it may have ended meanwhile
    const owner = valueOf(words, '--cid');
    if (owner === undefined || valueOf(words, '--exit-dir') !== exitDir) return [];
    const conmon = processRef(pid);
    if (conmon === undefined) return [];
    return [{ kind: 'monitor', name: `conmon ${pid}`, owner, since: bootNs + BigInt(conmon.startTime) * nsPerTick, remove: () => end(conmon) }];
  }));
  return found.flat();
}

function valueOf(words: readonly string[], option: string): string | undefined {
  const at = words.indexOf(option);
  return at < 0 ? undefined : words[at + 1];
}

async function end(conmon: ProcessRef): Promise<void> {
  const deadline = performance.now() + endDeadlineMs;
  while (processAlive(conmon)) {
    if (performance.now() > deadline) throw failure('deadline-exceeded', { act: 'end conmon', object: String(conmon.pid), why: `it is still there ${endDeadlineMs / 1000} s after SIGKILL` });
    try {
      process.kill(conmon.pid, 'SIGKILL');
    } catch (error) {
      if (!hasCode(error, 'ESRCH')) throw error;
    }
    await sleep(5);
  }
}
