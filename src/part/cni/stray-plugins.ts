/** Plugins that outlived the daemon that started them. */
import { readdir, readFile } from 'node:fs/promises';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

import { hasCode } from '../../base/errors.ts';
import { someAtOnce } from '../../base/some-at-once.ts';

/** A process that forks faster than we look is not a plugin. */
const maxLooks = 10;
const pauseMs = 10;
/** Reading an environment can block on a stuck process's memory lock: such a process is not asked again. */
const readDeadlineMs = 1_000;

/**
 * Kills every process that still works on this container's network: plugins and what they started have its id in their environment.
 * For an ADD that a killed daemon began: if it went on after our DEL, it would leave what nobody knows of.
 */
export async function endStrayPlugins(containerId: string): Promise<void> {
  const silent = new Set<number>();
  for (let look = 0; look < maxLooks; look++) {
    const strays = await pluginsOf(containerId, silent);
    if (strays.length === 0) return;
    for (const pid of strays) kill(pid);
    await sleep(pauseMs);
  }
}

/** A few at a time, so that a deadline measures one read and not the queue of all of them. */
async function pluginsOf(containerId: string, silent: Set<number>): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: number[] = [];
  await someAtOnce(pids.filter((pid) => !silent.has(pid)), async (pid) => {
    const environment = await environmentOf(pid);
    if (environment === 'late') silent.add(pid);
    else if (environment.includes(`CNI_CONTAINERID=${containerId}`)) found.push(pid);
  });
  return found;
}

/** None where the process has ended meanwhile. */
async function environmentOf(pid: number): Promise<readonly string[] | 'late'> {
  let environment: string[] | 'late' = 'late';
  const read = readFile(`/proc/${pid}/environ`, 'latin1').then((text) => { environment = text.split('\0'); }, () => { environment = []; });
  await Promise.race([read, sleep(readDeadlineMs, undefined, { ref: false })]);
  if (environment === 'late') await nextTurn(); // on a busy node the timer may come before an answer that was there long ago
  return environment;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}
