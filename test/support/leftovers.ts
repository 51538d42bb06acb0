/**
 * What a run of tests (or the demo) left on the machine, and how to take it away: processes, mounts, network namespaces,
 * cgroups, links, firewall rules, files. Other things run here too, so only what carries our names counts.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, readlinkSync, rmSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { markVariable, type TestRun } from './test-run.ts';

/** Each set holds one readable line a thing. */
export interface Snapshot {
  readonly 'network namespace': ReadonlySet<string>;
  readonly cgroup: ReadonlySet<string>;
  readonly link: ReadonlySet<string>;
  readonly 'firewall rule': ReadonlySet<string>;
  readonly mount: ReadonlySet<string>;
  readonly file: ReadonlySet<string>;
}

/** Folders where tests, runtimes and plugins put things outside the run's own folder. */
const watchedFolders = ['/tmp', '/run', '/run/crun', '/run/runc', '/var/lib', '/var/lib/cni', '/var/lib/cni/networks', '/etc/cni/net.d', '/dev/shm'];

/** Everything on the machine that could be a leftover; compare two of them with `leftovers`. */
export function takeSnapshot(): Snapshot {
  return {
    'network namespace': new Set(entries('/run/netns')),
    cgroup: new Set(cgroupFolders()),
    link: new Set(entries('/sys/class/net')),
    'firewall rule': new Set(firewallRules().map(({ text }) => text)),
    mount: new Set(mountPoints()),
    file: new Set(watchedFolders.flatMap((folder) => entries(folder).map((name) => path.join(folder, name)))),
  };
}

/**
 * What is there now, was not there before, and is ours: named with the run's mark or, where `alone` (no other run and no other
 * Gantry is alive, so nobody else makes such names), named after Gantry; of a cgroup in that case also that nothing lives in
 * it. Processes are ours by their environment, arguments or root. Of folders in folders the outermost is given.
 */
export function leftovers(before: Snapshot, run: TestRun, alone: boolean): string[] {
  const after = takeSnapshot();
  const byName = alone && foreignDaemons(run).length === 0;
  const isOurs = (kind: keyof Snapshot, text: string): boolean =>
    mentions(text, run) || (byName && /gantry/i.test(text) && !(kind === 'cgroup' && isPopulated(text)));
  const things = (Object.keys(after) as (keyof Snapshot)[]).flatMap((kind) => {
    const found = [...after[kind]].filter((text) => !before[kind].has(text) && text !== run.dir && isOurs(kind, text));
    return found.filter((text) => !found.includes(path.dirname(text))).map((text) => `${kind} ${text}`);
  });
  return [...processesOf(run).map(({ pid, command }) => `process ${pid} ${command}`), ...things];
}

/** Leftovers once things had `graceMs` to go away by themselves (a kernel takes its time with namespaces). */
export async function lastingLeftovers(before: Snapshot, run: TestRun, alone: boolean, graceMs = 3000): Promise<string[]> {
  const until = Date.now() + graceMs;
  let found = leftovers(before, run, alone);
  while (found.length > 0 && Date.now() < until) {
    await sleep(100);
    found = leftovers(before, run, alone);
  }
  return found;
}

/** Ends and removes everything that carries the run's mark, and its folder. Safe to repeat. */
export async function sweep(run: TestRun): Promise<void> {
  await endProcesses(run);
  for (const point of mountPoints().filter((text) => mentions(text, run)).reverse()) spawnSync('umount', ['-l', point]);
  for (const name of entries('/run/netns').filter((text) => mentions(text, run))) spawnSync('ip', ['netns', 'del', name]);
  if (existsSync('/run/systemd/system')) spawnSync('systemctl', ['stop', `${run.mark}*.slice`]);
  for (const folder of cgroupFolders().filter((text) => mentions(text, run)).reverse()) removeCgroup(folder);
  for (const name of entries('/sys/class/net').filter((text) => mentions(text, run))) spawnSync('ip', ['link', 'del', name]);
  removeFirewallRules(run.mark);
  rmSync(run.dir, { recursive: true, force: true });
}

function mentions(text: string, run: TestRun): boolean {
  return text.includes(run.mark) || `${text}/`.includes(`${run.dir}/`);
}

// --- processes ---------------------------------------------------------------------------------------------------

export interface RunProcess {
  readonly pid: number;
  readonly command: string;
}

/** The processes of a run, this one excepted: by environment, arguments, a root in the run's folder, or parent. */
export function processesOf(run: TestRun): RunProcess[] {
  const ourNamespace = linkOf('/proc/self/ns/mnt');
  const all = entries('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).flatMap((name) => {
    const stat = textOf(`/proc/${name}/stat`);
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return stat === '' || state === 'Z' ? [] : [{ pid: Number(name), parent: Number(parent) }];
  });
  const ours = new Set(all.map(({ pid }) => pid).filter((pid) => isProcessOf(run, pid, ourNamespace)));
  for (let size = -1; size !== ours.size;) {
    size = ours.size;
    for (const { pid, parent } of all) if (ours.has(parent)) ours.add(pid);
  }
  return [...ours].map((pid) => ({ pid, command: commandOf(pid) }));
}

/** Gantry daemons that are not this run's: a node's own, or one that a person started. */
function foreignDaemons(run: TestRun): number[] {
  const ours = new Set(processesOf(run).map(({ pid }) => pid));
  const pids = entries('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
  return pids.filter((pid) => !ours.has(pid) && /gantry\.[jt]s serve/.test(commandOf(pid)));
}

function isProcessOf(run: TestRun, pid: number, ourNamespace: string): boolean {
  if (textOf(`/proc/${pid}/environ`).includes(`${markVariable}=${run.mark}`)) return true;
  if (mentions(textOf(`/proc/${pid}/cmdline`).replaceAll('\0', '/'), run)) return true;
  const namespace = linkOf(`/proc/${pid}/ns/mnt`);
  return namespace !== '' && namespace !== ourNamespace && mentions(rootMountOf(pid), run);
}

/** What a process has as its root, as mountinfo tells: a container's is in the run's folder. Its other mounts may be copies of anybody's. */
function rootMountOf(pid: number): string {
  return textOf(`/proc/${pid}/mountinfo`).split('\n').findLast((line) => line.split(' ')[4] === '/') ?? '';
}

function commandOf(pid: number): string {
  return textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim().slice(0, 200);
}

async function endProcesses(run: TestRun): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL', 'SIGKILL', 'SIGKILL'] as const) {
    const left = processesOf(run);
    if (left.length === 0) return;
    for (const { pid } of left) {
      try {
        process.kill(pid, signal);
      } catch {
        // It ended by itself.
      }
    }
    const until = Date.now() + 1500;
    while (Date.now() < until && processesOf(run).length > 0) await sleep(50);
  }
}

// --- cgroups, mounts, files --------------------------------------------------------------------------------------

/** Every cgroup folder of every hierarchy, parents before children. */
function cgroupFolders(): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readFolder(folder)) {
      if (!entry.isDirectory()) continue; // a hierarchy's second name is a symbolic link
      const child = path.join(folder, entry.name);
      found.push(child);
      walk(child);
    }
  };
  walk('/sys/fs/cgroup');
  return found;
}

/** True when a process lives in this cgroup or below it. */
function isPopulated(folder: string): boolean {
  if (textOf(path.join(folder, 'cgroup.procs')).trim() !== '') return true;
  return readFolder(folder).some((entry) => entry.isDirectory() && isPopulated(path.join(folder, entry.name)));
}

function removeCgroup(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Busy: some process in it is not ours, and the check after this one says so.
  }
}

function mountPoints(): string[] {
  return textOf('/proc/self/mountinfo').split('\n').flatMap((line) => line.split(' ')[4] ?? []).map(unescapeMount);
}

function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

// --- firewall ----------------------------------------------------------------------------------------------------

interface FirewallRule {
  readonly program: string;
  readonly table: string;
  /** As iptables-save prints it: `-A CHAIN …`. */
  readonly text: string;
}

function firewallRules(): FirewallRule[] {
  return ['iptables', 'ip6tables'].flatMap((program) => {
    const saved = spawnSync(`${program}-save`, [], { encoding: 'utf8' }).stdout ?? '';
    let table = '';
    return saved.split('\n').flatMap((line) => {
      if (line.startsWith('*')) table = line.slice(1);
      return line.startsWith('-A ') ? [{ program, table, text: line }] : [];
    });
  });
}

/** CNI plugins name their network in a comment of the rules they make: those rules go, and the chains that they jump to. */
function removeFirewallRules(mark: string): void {
  const ours = firewallRules().filter(({ text }) => text.includes(mark));
  for (const { program, table, text } of ours) spawnSync(program, ['-w', '-t', table, '-D', ...wordsOf(text).slice(1)]);
  for (const { program, table, text } of ours) {
    const chain = /-j (CNI-(?:DN-)?[0-9a-f]+)$/.exec(text)?.[1];
    if (chain === undefined) continue;
    spawnSync(program, ['-w', '-t', table, '-F', chain]);
    spawnSync(program, ['-w', '-t', table, '-X', chain]);
  }
}

/** Splits a line of iptables-save: words, or texts in double quotes with backslash escapes. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) => plain ?? quoted!.replace(/\\(.)/g, '$1'));
}

// --- reading what may vanish meanwhile -----------------------------------------------------------------------------

function readFolder(folder: string): { name: string; isDirectory(): boolean }[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function entries(folder: string): string[] {
  return readFolder(folder).map(({ name }) => name);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
