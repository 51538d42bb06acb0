/**
 * A pod's namespaces, made in this process and kept alive by files they are bound to.
 *
 * The calling thread steps into new namespaces, sets them up, binds them to files and steps back, all in one
 * synchronous stretch of about a millisecond: no helper process, no worker. Three rules make that safe, and this file
 * is the only one that has to keep them:
 * - Nothing is awaited inside, so no other work of this thread ever runs in a pod's namespace.
 * - libuv's threads exist before (`primeThreadPool`): they are made on first use and inherit where their maker stands.
 * - A thread that cannot step back must not live on: every later socket of the daemon would be the pod's.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';

import { during, failure, hasCode } from '../base/errors.ts';
import { makePrivateDir } from './files.ts';
import { CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWUTS, libc, MNT_DETACH, MS_BIND, UMOUNT_NOFOLLOW } from './libc.ts';
import { bringUp } from './network-interface.ts';

const kinds = ['net', 'ipc', 'uts'] as const;
type Kind = (typeof kinds)[number];

/** A user namespace is pinned beside those it owns, but no thread of ours can ever enter it (user-namespaces.ts). */
export type PinKind = Kind | 'user';
const pinKinds: readonly PinKind[] = [...kinds, 'user'];

const cloneFlag: Record<Kind, number> = { net: CLONE_NEWNET, ipc: CLONE_NEWIPC, uts: CLONE_NEWUTS };

/** statfs(2) type of the file system that namespace files live on. */
const NSFS_MAGIC = 0x6e736673;

/** Paths of pinned namespaces; a kind that the pod shares with the host is absent. */
export type PinnedNamespaces = { readonly [kind in PinKind]?: string };

export interface NamespaceRequest {
  /** Where the pin files, named as their kinds, go; made if absent. A tmpfs makes this twice as fast as a disk. */
  readonly directory: string;
  readonly net: boolean;
  readonly ipc: boolean;
  readonly uts: boolean;
  /** Host name inside; needs `uts`. */
  readonly hostname?: string;
  /** Checked by `validateSysctls` before. Those of interfaces that CNI makes later go to `writeSysctls`: see `splitSysctls`. */
  readonly sysctls?: Readonly<Record<string, string>>;
}

let primed = false;

/** Starts libuv's thread pool here and now. Await it once, before the first call that changes a namespace. */
export async function primeThreadPool(): Promise<void> {
  await fs.promises.stat('/');
  primed = true;
}

function wantPrimed(): void {
  if (!primed) throw failure('internal', { act: 'change namespace', why: 'primeThreadPool() has not been awaited yet' });
}

/**
 * Makes the namespaces asked for, brings `lo` up in a new network namespace, sets host name and sysctls, and pins each
 * to a file. All or nothing: after a failure no pin remains. Pins that exist already are already-exists, for only the
 * caller knows whether somebody lives in them. Wants root.
 */
export function createNamespaces(request: NamespaceRequest): PinnedNamespaces {
  wantPrimed();
  const wanted = kinds.filter((kind) => request[kind]);
  const pins = Object.fromEntries(wanted.map((kind) => [kind, path.join(request.directory, kind)])) as PinnedNamespaces;
  makePinFiles(request.directory, wanted);
  try {
    away(wanted, () => {
      libc.unshare(wanted.reduce((flags, kind) => flags | cloneFlag[kind], 0));
      setUp(request);
      for (const kind of wanted) libc.mount(ownNamespace(kind), path.join(request.directory, kind), '', MS_BIND, null);
    });
  } catch (error) {
    removeNamespaces(request.directory);
    throw during(error, { act: 'make namespaces', object: request.directory });
  }
  return pins;
}

/** Brings `lo` up and sets host name and sysctls, as `createNamespaces` does, in namespaces that are pinned already. */
export function setUpNamespaces(pins: PinnedNamespaces, request: NamespaceRequest): void {
  inNamespaces(pins, () => setUp(request));
}

/** For a thread inside. */
function setUp(request: NamespaceRequest): void {
  if (request.net) bringUp('lo');
  if (request.uts && request.hostname !== undefined) libc.sethostname(request.hostname);
  for (const [name, value] of Object.entries(request.sysctls ?? {})) writeSysctl(name, value);
}

/** Unpins what `createNamespaces` or `createUserNamespaces` pinned; the kernel frees a namespace after its last process. Absent or half made is fine. */
export function removeNamespaces(directory: string): void {
  for (const kind of pinKinds) {
    const pin = path.join(directory, kind);
    while (unmounted(pin));
    fs.rmSync(pin, { force: true });
  }
  try {
    fs.rmdirSync(directory);
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTEMPTY')) throw error;
  }
}

/**
 * Runs `work` with the calling thread inside the network namespace that is pinned at `pin`, and steps back. `work` must be
 * synchronous: what it leaves for later runs outside. Sockets that it makes stay the pod's for life.
 */
export function inNetworkNamespace<T>(pin: string, work: () => T): T {
  return inNamespaces({ net: pin }, work);
}

/** Writes sysctls inside pinned namespaces: for those that exist only once CNI has made the pod's interfaces. */
export function writeSysctls(pins: PinnedNamespaces, sysctls: Readonly<Record<string, string>>): void {
  inNamespaces(pins, () => {
    for (const [name, value] of Object.entries(sysctls)) writeSysctl(name, value);
  });
}

/** True when the path leads to a live namespace: after a reboot a pin is gone or an empty file. */
export async function isNamespace(pin: string): Promise<boolean> {
  try {
    return (await fs.promises.statfs(pin)).type === NSFS_MAGIC;
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return false;
    throw error;
  }
}

function inNamespaces<T>(pins: PinnedNamespaces, work: () => T): T {
  const wanted = kinds.filter((kind) => pins[kind] !== undefined);
  return away(wanted, () => {
    for (const kind of wanted) enter(pins[kind]!, kind);
    return work();
  });
}

function enter(pin: string, kind: Kind): void {
  let fd: number;
  try {
    fd = fs.openSync(pin, 'r');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw failure('not-found', { act: `enter ${kind} namespace`, object: pin, why: 'there is no such file', cause: error });
  }
  try {
    libc.setns(fd, cloneFlag[kind]);
  } catch (error) {
    if (!hasCode(error, 'EINVAL')) throw error;
    throw failure('not-found', { act: `enter ${kind} namespace`, object: pin, why: `this file is no ${kind} namespace`, cause: error });
  } finally {
    fs.closeSync(fd);
  }
}

/** Runs `work`, which leaves this thread's namespaces of the kinds named, and brings the thread back whatever happens. */
function away<T>(wanted: readonly Kind[], work: () => T): T {
  wantPrimed();
  const home: { kind: Kind; fd: number }[] = [];
  try {
    for (const kind of wanted) home.push({ kind, fd: fs.openSync(ownNamespace(kind), 'r') });
    try {
      return work();
    } finally {
      for (const { kind, fd } of home) goHome(kind, fd);
    }
  } finally {
    for (const { fd } of home) fs.closeSync(fd);
  }
}

function goHome(kind: Kind, fd: number): void {
  try {
    libc.setns(fd, cloneFlag[kind]);
  } catch (error) {
    fs.writeSync(2, `gantry: cannot leave a pod's ${kind} namespace, stopping at once: ${String(error)}\n`);
    process.abort();
  }
}

/** `/proc/self` would be the main thread's, wherever the caller runs. */
function ownNamespace(kind: Kind): string {
  return `/proc/thread-self/ns/${kind}`;
}

/** Makes the files that namespaces are then bound to; one that is there already is already-exists. */
export function makePinFiles(directory: string, wanted: readonly PinKind[]): void {
  makePrivateDir(directory);
  const present = pinKinds.filter((kind) => fs.existsSync(path.join(directory, kind)));
  if (present.length > 0) {
    throw failure('already-exists', { act: 'make namespaces', object: directory, why: `${present.join(', ')} is pinned there already; remove it first` });
  }
  for (const kind of wanted) fs.closeSync(fs.openSync(path.join(directory, kind), 'wx', 0o600));
}

/** Takes one mount off a path; false when there is none. */
function unmounted(pin: string): boolean {
  try {
    libc.umount2(pin, MNT_DETACH | UMOUNT_NOFOLLOW);
    return true;
  } catch (error) {
    if (hasCode(error, 'EINVAL') || hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return false;
    throw error;
  }
}

const ipcSysctls = new Set(['kernel.msgmax', 'kernel.msgmnb', 'kernel.msgmni', 'kernel.sem', 'kernel.shmall', 'kernel.shmmax', 'kernel.shmmni', 'kernel.shm_rmid_forced']);
const utsSysctls = new Set(['kernel.domainname']);
// With dots between the words a slash stands for a dot in a file's name, as sysctl(8) has it: net.ipv4.conf.eth0/100.rp_filter is of the interface eth0.100.
const nameForm = /^[a-z0-9_-]+(\.[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*)+$/;
const valueForm = /^[A-Za-z0-9 \t,.:_-]{1,1000}$/;

/**
 * Throws invalid-argument, naming the sysctl, unless every one belongs to a namespace that the pod has for itself (a host
 * network pod has neither net nor uts) and is written plainly. The forms are narrow on purpose: a name is a path
 * below /proc/sys, and values have been a way to smuggle in further sysctls elsewhere (CVE-2022-0811).
 */
export function validateSysctls(sysctls: Readonly<Record<string, string>>, { hostNetwork, hostIpc }: { hostNetwork: boolean; hostIpc: boolean }): void {
  for (const [name, value] of Object.entries(sysctls)) {
    const refuse = (why: string) => failure('invalid-argument', { act: 'set sysctl', object: JSON.stringify(name.slice(0, 100)), why });
    if (!nameForm.test(name)) throw refuse('write the name with dots between words of letters, digits, _ and -, and a slash where a word has a dot');
    if (!valueForm.test(value)) throw refuse(`the value ${JSON.stringify(value.slice(0, 100))} is not 1 to 1000 letters, digits, blanks and , . : _ -`);
    const owner = sysctlNamespace(name);
    if (owner === undefined) throw refuse('it belongs to no namespace of a pod and would change the whole node');
    if (owner === 'ipc' ? hostIpc : hostNetwork) throw refuse(`this pod uses the host's ${owner} namespace, so it would change the whole node`);
  }
}

/** Those of the sysctls that belong to a namespace which the pod has for itself. */
export function ownSysctls(sysctls: Readonly<Record<string, string>>, { hostNetwork, hostIpc }: { hostNetwork: boolean; hostIpc: boolean }): Record<string, string> {
  return Object.fromEntries(Object.entries(sysctls).filter(([name]) => (sysctlNamespace(name) === 'ipc' ? !hostIpc : !hostNetwork)));
}

/** The namespace that a sysctl belongs to; undefined for one of the whole node. */
export function sysctlNamespace(name: string): Kind | undefined {
  if (name.startsWith('net.')) return 'net';
  if (name.startsWith('fs.mqueue.') || ipcSysctls.has(name)) return 'ipc';
  return utsSysctls.has(name) ? 'uts' : undefined;
}

const interfaceForm = /^net\.[a-z0-9]+\.(?:conf|neigh)\.([^.]+)\./;
const bornInterfaces = new Set(['all', 'default', 'lo']);

/** Parts sysctls into those that a new namespace has at once and those of an interface that CNI is yet to make (`net.ipv4.conf.eth0.…`). */
export function splitSysctls(sysctls: Readonly<Record<string, string>>): { now: Record<string, string>; afterCni: Record<string, string> } {
  const now: Record<string, string> = {};
  const afterCni: Record<string, string> = {};
  for (const [name, value] of Object.entries(sysctls)) {
    const owner = interfaceForm.exec(name)?.[1];
    (owner === undefined || bornInterfaces.has(owner) ? now : afterCni)[name] = value;
  }
  return { now, afterCni };
}

/** /proc/sys shows every thread the values of that thread's own namespaces. */
function writeSysctl(name: string, value: string): void {
  try {
    // No O_CREAT, so that an unknown name is ENOENT and not a refusal to create.
    const fd = fs.openSync(sysctlPath(name), fs.constants.O_WRONLY);
    try {
      fs.writeSync(fd, value);
    } finally {
      fs.closeSync(fd);
    }
  } catch (cause) {
    throw sysctlFailure(name, value, cause);
  }
}

/** The file of a sysctl, whose name has passed validateSysctls: each dot is a slash, and each slash a dot. */
export function sysctlPath(name: string): string {
  return `/proc/sys/${name.replaceAll(/[./]/g, (mark) => (mark === '.' ? '/' : '.'))}`;
}

/** What a failed write of a sysctl means; `cause` has the errno's name as its code. */
export function sysctlFailure(name: string, value: string, cause: unknown): Error {
  const detail = { act: 'set sysctl', object: name, cause };
  if (hasCode(cause, 'ENOENT')) return failure('failed-precondition', { ...detail, why: "this kernel has no such sysctl in a pod's namespaces" });
  if (hasCode(cause, 'EACCES') || hasCode(cause, 'EPERM')) return failure('failed-precondition', { ...detail, why: 'this kernel does not let a pod change it' });
  if (hasCode(cause, 'EINVAL') || hasCode(cause, 'ERANGE')) return failure('invalid-argument', { ...detail, why: `the kernel refuses the value ${JSON.stringify(value)}` });
  return failure('internal', detail);
}
