/** Plugins that outlived the daemon that started them. */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { hasCode } from '../../base/errors.ts';

/** A process that forks faster than we look is not a plugin. */
const maxLooks = 10;
const pauseMs = 10;
/** Reading an environment can block on a stuck process's memory lock. */
const readDeadlineMs = 200;

/**
 * Kills every process that still works on this container's network: plugins and what they started have its id in their environment.
 * For an ADD that a killed daemon began: if it went on after our DEL, it would leave what nobody knows of.
 */
export async function endStrayPlugins(containerId: string): Promise<void> {
  for (let look = 0; look < maxLooks; look++) {
    const strays = await pluginsOf(containerId);
    if (strays.length === 0) return;
    for (const pid of strays) kill(pid);
    await sleep(pauseMs);
  }
}

async function pluginsOf(containerId: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const works = await Promise.all(pids.map((pid) => worksOn(pid, containerId)));
  return pids.filter((_, index) => works[index]);
}

async function worksOn(pid: number, containerId: string): Promise<boolean> {
  const environment = readFile(`/proc/${pid}/environ`, 'latin1').catch(() => ''); // it may have ended meanwhile
  const inTime = await Promise.race([environment, sleep(readDeadlineMs, '', { ref: false })]);
  return inTime.split('\0').includes(`CNI_CONTAINERID=${containerId}`);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}
