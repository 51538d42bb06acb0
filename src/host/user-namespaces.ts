/**
 * User namespaces, and the namespaces that belong to them. The kernel lets no process with several threads make or enter a user
 * namespace (unshare(2), setns(2): EINVAL), so a helper that waits on a pipe makes them: unshare(1), which becomes cat(1).
 * The daemon writes the id maps, pins the namespaces as files and lets the helper go. A daemon that is killed closes the pipe, which
 * ends the helper too; what it has pinned by then is the caller's to undo (`removeNamespaces`).
 */
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { during, failure } from '../base/errors.ts';
import { libc, MS_BIND } from './libc.ts';
import { makePinFiles, removeNamespaces, setUpNamespaces, sysctlFailure, sysctlNamespace, sysctlPath } from './namespaces.ts';
import type { NamespaceRequest, PinKind, PinnedNamespaces } from './namespaces.ts';
import { run, spawn } from './spawn.ts';
import type { Child } from './spawn.ts';
import { findProgram, systemPath } from './find-program.ts';

/** One line of uid_map or gid_map, user_namespaces(7): `length` ids from `containerId` inside are those from `hostId` outside. */
export interface IdRange {
  readonly containerId: number;
  readonly hostId: number;
  readonly length: number;
}

export interface IdMaps {
  readonly uids: IdRange;
  readonly gids: IdRange;
}

const helperDeadlineMs = 10_000;

/**
 * Makes a user namespace with these maps and, owned by it, the namespaces asked for, so that root inside has power over them; the rest
 * as `createNamespaces` does it, with one pin more: `user`. All or nothing. failed-precondition where the kernel gives no user namespaces.
 */
export async function createUserNamespaces(request: NamespaceRequest, maps: IdMaps): Promise<PinnedNamespaces> {
  const wanted: PinKind[] = ['user', ...(['net', 'ipc', 'uts'] as const).filter((kind) => request[kind])];
  const pins = Object.fromEntries(wanted.map((kind) => [kind, join(request.directory, kind)])) as PinnedNamespaces;
  makePinFiles(request.directory, wanted);
  try {
    await withHelper(wanted, (pid) => {
      writeMaps(pid, maps);
      for (const kind of wanted) libc.mount(`/proc/${pid}/ns/${kind}`, pins[kind]!, '', MS_BIND, null);
    });
    const { ofRoot, others } = splitByWriter(request.sysctls ?? {});
    setUpNamespaces(pins, { ...request, sysctls: others });
    for (const [name, value] of Object.entries(ofRoot)) await writeAsRootInside(pins, name, value);
  } catch (error) {
    removeNamespaces(request.directory);
    throw during(error, { act: 'make namespaces', object: request.directory });
  }
  return pins;
}

/** Runs `work` with a descriptor of a user namespace that lives as long as that does: maps for mounts that outlive it. */
export async function withUserNamespace<T>(maps: IdMaps, work: (userFd: number) => T): Promise<T> {
  return await withHelper(['user'], (pid) => {
    writeMaps(pid, maps);
    const userFd = openSync(`/proc/${pid}/ns/user`, 'r');
    try {
      return work(userFd);
    } finally {
      closeSync(userFd);
    }
  });
}

const unshareFlags: Readonly<Record<PinKind, string>> = { user: '--user', net: '--net', ipc: '--ipc', uts: '--uts' };

async function withHelper<T>(kinds: readonly PinKind[], work: (pid: number) => T): Promise<T> {
  const helper = spawn(wantProgram('unshare'), [...kinds.map((kind) => unshareFlags[kind]), wantProgram('cat')], { stdio: ['pipe-in', 'pipe-out', 'pipe-out'] });
  let ended = false;
  void helper.exited.then(() => { ended = true; });
  try {
    await untilInside(helper);
    const result = work(helper.pid);
    // The number of a process that has ended may be another's already.
    if (ended) throw failure('internal', { act: 'make user namespace', why: 'the helper process was killed' });
    return result;
  } finally {
    helper.kill('SIGKILL');
    await helper.exited;
    for (const stream of helper.streams) stream?.destroy();
  }
}

/** What cat gives back has been read after unshare was through. */
async function untilInside(helper: Child): Promise<void> {
  const [stdin, stdout, stderr] = helper.streams;
  const complaint: Buffer[] = [];
  stderr!.on('data', (chunk: Buffer) => complaint.push(chunk)).on('error', () => {});
  stdin!.on('error', () => {}).write('\n');
  stdout!.on('error', () => {});
  const deadline = new AbortController();
  const first = await Promise.race([
    once(stdout!, 'data').then(() => 'inside' as const),
    once(stderr!, 'close').then(() => 'refused' as const),
    sleep(helperDeadlineMs, 'late' as const, { signal: deadline.signal }).catch(() => 'late' as const),
  ]);
  deadline.abort();
  if (first === 'inside') return;
  const text = Buffer.concat(complaint).toString().trim().slice(0, 300);
  if (first === 'late') throw failure('deadline-exceeded', { act: 'make user namespace', why: `no answer in ${helperDeadlineMs / 1000} s` });
  throw failure('failed-precondition', { act: 'make user namespace', why: `the kernel refuses (${text}): see that /proc/sys/user/max_user_namespaces is not used up` });
}

function writeMaps(pid: number, maps: IdMaps): void {
  for (const [file, { containerId, hostId, length }] of [['uid_map', maps.uids], ['gid_map', maps.gids]] as const) {
    writeFileSync(`/proc/${pid}/${file}`, `${containerId} ${hostId} ${length}\n`);
  }
}

/** The sysctls of an IPC namespace can be written by its root alone: no capability of ours counts there. */
function splitByWriter(sysctls: Readonly<Record<string, string>>): { ofRoot: Record<string, string>; others: Record<string, string> } {
  const isOfRoot = ([name]: [string, string]): boolean => sysctlNamespace(name) === 'ipc';
  const entries = Object.entries(sysctls);
  return { ofRoot: Object.fromEntries(entries.filter(isOfRoot)), others: Object.fromEntries(entries.filter((entry) => !isOfRoot(entry))) };
}

async function writeAsRootInside(pins: PinnedNamespaces, name: string, value: string): Promise<void> {
  const enter = [`--user=${pins.user!}`, `--ipc=${pins.ipc!}`, '--setuid', '0', '--setgid', '0'];
  const { code, stderr } = await run(wantProgram('nsenter'), [...enter, wantProgram('tee'), sysctlPath(name)], { input: value, deadlineMs: helperDeadlineMs });
  if (code !== 0) throw sysctlFailure(name, value, Object.assign(new Error(stderr.toString().trim()), { code: errnoIn(stderr.toString()) }));
}

/** What a program says of a failed call, in the C library's words. */
function errnoIn(text: string): string | undefined {
  const words = { ENOENT: /no such file/i, EACCES: /permission denied/i, EINVAL: /invalid argument/i, ERANGE: /out of range/i };
  return Object.entries(words).find(([, pattern]) => pattern.test(text))?.[0];
}

function wantProgram(name: string): string {
  const path = findProgram(name, systemPath);
  if (path === undefined) throw failure('failed-precondition', { act: 'make user namespace', why: `${name} (package ${name === 'unshare' || name === 'nsenter' ? 'util-linux' : 'coreutils'}) is not installed` });
  return path;
}
