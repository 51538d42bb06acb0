/**
 * One run of the test suite, and how what it makes is recognised as its own: a mark that is part of every name (the run's
 * folder, which is the TMPDIR of all its tests; bridges; network names; cgroups) and of the environment of its processes.
 * So two runs on one machine do not mistake each other's things, and the next run can remove what a killed one left.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export interface TestRun {
  /** `gt` and six hex digits, more for a part of a run: short enough for a network interface's name. */
  readonly mark: string;
  /** Holds every file of the run. Short, as unix sockets below it may have 107 characters only. */
  readonly dir: string;
}

/** The variable that tells a process (and its children) which run it belongs to. */
export const markVariable = 'TEST_RUN_OF_GANTRY';

const markForm = /^gt[0-9a-f]{6}$/;
const ownerFile = 'owner.json';

/** Makes a run's folder and records this process as its owner. */
export function beginRun(parent = os.tmpdir()): TestRun {
  const mark = newMark();
  const dir = path.join(parent, mark);
  mkdirSync(dir, { mode: 0o711 });
  writeFileSync(path.join(dir, ownerFile), JSON.stringify({ pid: process.pid, startTime: startTimeOf(process.pid) }));
  return { mark, dir };
}

/**
 * A part of the run that this process belongs to, with a mark, a folder and a life of its own: a daemon and all it makes. For
 * a test that was started by hand the part is all there is of the run.
 */
export function beginPart(): TestRun {
  const runMark = process.env[markVariable];
  for (;;) {
    const suffix = randomBytes(4).readUInt32LE().toString(36).slice(0, 2).padEnd(2, '0');
    const mark = `${runMark ?? newMark()}${suffix}`;
    const dir = path.join(os.tmpdir(), runMark === undefined ? mark : suffix);
    try {
      mkdirSync(dir, { mode: 0o711 });
      return { mark, dir };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function newMark(): string {
  return `gt${randomBytes(3).toString('hex')}`;
}

/** The other runs on this machine: those whose owner lives, and those whose owner died without cleaning up. */
export function otherRuns(self: TestRun): { alive: TestRun[]; dead: TestRun[] } {
  const parent = path.dirname(self.dir);
  const others = readdirSync(parent)
    .filter((name) => markForm.test(name) && name !== self.mark)
    .map((name) => ({ mark: name, dir: path.join(parent, name) }));
  return { alive: others.filter(isAlive), dead: others.filter((run) => !isAlive(run)) };
}

function isAlive(run: TestRun): boolean {
  try {
    const owner = JSON.parse(readFileSync(path.join(run.dir, ownerFile), 'utf8')) as { pid: number; startTime: string };
    return startTimeOf(owner.pid) === owner.startTime;
  } catch {
    return false;
  }
}

/** When a process started, in clock ticks since boot: with the pid, its identity. Undefined when there is none. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
