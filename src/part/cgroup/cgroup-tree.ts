/** Making, emptying and removing cgroups in every hierarchy at once, by path. All of it may be repeated. */
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, hasCode } from '../../base/errors.ts';
import { hostCgroupFiles } from './cgroup-file.ts';
import { hierarchies } from './cgroup-layout.ts';
import type { CgroupLayout } from './cgroup-layout.ts';

/** A process that SIGKILL does not end within this time is stuck in the kernel. */
const killDeadlineMs = 10_000;
/** After its last process has gone, a cgroup can stay busy for a moment. */
const removeDeadlineMs = 2000;

/**
 * Makes the cgroup in every hierarchy. For the cgroupfs driver only: under systemd, slices and scopes are systemd's. The
 * controllers of a v2 cgroup are turned on by the OCI runtime when it makes a container below.
 */
export function createCgroup(layout: CgroupLayout, path: string): void {
  for (const mount of hierarchies(layout)) mkdirSync(directoryOf(mount, path), { recursive: true });
  const cpuset = layout.controllers.get('cpuset');
  if (cpuset !== undefined) inheritCpuset(cpuset, path);
}

/** A new v1 cpuset has no cpus and no memory nodes, and no process can enter it before it has. */
function inheritCpuset(mount: string, path: string): void {
  let directory = mount;
  for (const name of path.split('/').filter((part) => part !== '')) {
    const parent = directory;
    directory = join(directory, name);
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const own = hostCgroupFiles.text(join(directory, file))?.trim();
      const inherited = hostCgroupFiles.text(join(parent, file))?.trim();
      if (own === '' && inherited !== undefined && inherited !== '') writeFileSync(join(directory, file), inherited);
    }
  }
}

/** The pids of all processes in the cgroup and below it, in any hierarchy. Empty when there is no such cgroup. */
export function listPids(layout: CgroupLayout, path: string): number[] {
  const pids = new Set<number>();
  for (const mount of hierarchies(layout)) for (const pid of pidsBelow(directoryOf(mount, path))) pids.add(pid);
  return [...pids];
}

/** The pids in one directory of one hierarchy and below. */
export function pidsBelow(directory: string): number[] {
  return [...treeOf(directory)].flatMap(pidsIn);
}

/**
 * Kills every process in the cgroup and below, and returns when they are gone. What is stuck in the kernel after 10 s is
 * deadline-exceeded, naming the pids. No such cgroup: nothing to do.
 */
export async function killCgroup(layout: CgroupLayout, path: string): Promise<void> {
  const end = performance.now() + killDeadlineMs;
  for (;;) {
    const pids = listPids(layout, path);
    if (pids.length === 0) return;
    if (performance.now() > end) throw failure('deadline-exceeded', { act: 'kill the processes of cgroup', object: path, why: `process ${pids.join(', ')} did not end within ${killDeadlineMs / 1000} s${frozenWords(layout, path)}` });
    killOnce(layout, path);
    await sleep(5);
  }
}

function killOnce(layout: CgroupLayout, path: string): void {
  // cgroup.kill (Linux 5.14) reaches what forks meanwhile. On hybrid it covers only what joined the cgroup2 side too.
  if (layout.unified !== undefined) write(join(directoryOf(layout.unified, path), 'cgroup.kill'), '1');
  if (layout.mode === 'v2' && existsSync(join(directoryOf(layout.unified ?? '/', path), 'cgroup.kill'))) return;
  freeze(layout, path, true);
  for (const pid of listPids(layout, path)) signalKill(pid);
  thaw(layout, path);
}

/** A v1-frozen process dies only when thawed, and what is below may have been frozen on its own. */
function thaw(layout: CgroupLayout, path: string): void {
  freeze(layout, path, false);
  const freezer = layout.controllers.get('freezer');
  if (freezer === undefined) return;
  for (const directory of treeOf(directoryOf(freezer, path))) write(join(directory, 'freezer.state'), 'THAWED');
}

/**
 * The cgroup above this one that is frozen, and holds its processes where not even SIGKILL reaches them: only cgroup v1 does that.
 * Whoever froze it meant it, so it is not for us to thaw. Undefined when there is none.
 */
export function frozenAbove(layout: CgroupLayout, path: string): string | undefined {
  const freezer = layout.controllers.get('freezer');
  if (freezer === undefined) return undefined;
  const isFrozen = (cgroup: string): boolean => hostCgroupFiles.text(join(freezer, cgroup, 'freezer.self_freezing'))?.trim() === '1';
  for (let above = dirname(path); above !== '/' && above !== '.'; above = dirname(above)) if (isFrozen(above)) return above;
  return undefined;
}

function frozenWords(layout: CgroupLayout, path: string): string {
  const frozen = frozenAbove(layout, path);
  return frozen === undefined ? '' : `: cgroup ${frozen} is frozen, thaw it`;
}

/** Frozen, a fork bomb cannot outrun the list of its processes. */
function freeze(layout: CgroupLayout, path: string, frozen: boolean): void {
  const freezer = layout.controllers.get('freezer');
  if (freezer !== undefined) write(join(directoryOf(freezer, path), 'freezer.state'), frozen ? 'FROZEN' : 'THAWED');
  else if (layout.mode === 'v2' && layout.unified !== undefined) write(join(directoryOf(layout.unified, path), 'cgroup.freeze'), frozen ? '1' : '0');
}

function signalKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

/**
 * Removes the cgroup and all below it from every hierarchy, deepest first. It has to be free of processes: what is still
 * busy after 2 s is failed-precondition, naming the pids. No such cgroup: nothing to do.
 */
export async function removeCgroup(layout: CgroupLayout, path: string): Promise<void> {
  const end = performance.now() + removeDeadlineMs;
  for (;;) {
    const busy = hierarchies(layout).filter((mount) => !removeTree(directoryOf(mount, path)));
    if (busy.length === 0) return;
    if (performance.now() > end) {
      const pids = listPids(layout, path);
      throw failure('failed-precondition', { act: 'remove cgroup', object: join(busy[0]!, path), why: pids.length === 0 ? 'it stays busy without any process' : `process ${pids.join(', ')} is in it` });
    }
    await sleep(10);
  }
}

/** Removes the cgroup alone, from each hierarchy where nothing is in it. */
export function removeIfEmpty(layout: CgroupLayout, path: string): void {
  for (const mount of hierarchies(layout)) {
    try {
      rmdirSync(directoryOf(mount, path));
    } catch (error) {
      if (!['EBUSY', 'ENOTEMPTY', 'ENOENT'].some((code) => hasCode(error, code))) throw error;
    }
  }
}

/** False when something in it is busy. */
function removeTree(root: string): boolean {
  let free = true;
  for (const directory of treeOf(root)) {
    try {
      rmdirSync(directory);
    } catch (error) {
      if (hasCode(error, 'EBUSY') || hasCode(error, 'ENOTEMPTY')) free = false;
      else if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  return free;
}

/** The cgroup and all below it, deepest first. */
function* treeOf(directory: string): Generator<string> {
  for (const name of subdirectories(directory)) yield* treeOf(join(directory, name));
  if (existsSync(directory)) yield directory;
}

function subdirectories(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return []; // gone
  }
}

function pidsIn(directory: string): number[] {
  const text = hostCgroupFiles.text(join(directory, 'cgroup.procs')) ?? '';
  return text.split('\n').filter((line) => line !== '' && line !== '0').map(Number);
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'r+' });
  } catch {
    // The cgroup is gone, or the kernel has no such file: killing one by one does without it.
  }
}

/** The cgroup's directory in one hierarchy. Never the hierarchy's root: that would be every process of the host. */
function directoryOf(mount: string, path: string): string {
  const directory = join(mount, path);
  if (dirname(directory) === dirname(mount) || !directory.startsWith(`${mount}/`)) throw failure('invalid-argument', { act: 'use cgroup', object: JSON.stringify(path), why: 'want a path below the root' });
  return directory;
}
