/**
 * posix_spawn(3) by FFI. libuv forks, and a fork copies page tables: its cost grows with the daemon's memory (12 ms at
 * 300 MB). glibc's posix_spawn uses CLONE_VM|CLONE_VFORK and blocks for under 0.1 ms at any size.
 */
import koffi from 'koffi';
import { openSync } from 'node:fs';
import { constants } from 'node:os';
import { SyscallError } from './libc.ts';

const c = koffi.load('libc.so.6');
const posix_spawn = c.func('int posix_spawn(_Out_ int*, const char*, void*, void*, const char**, const char**)');
const actionsInit = c.func('int posix_spawn_file_actions_init(void*)');
const actionsDup2 = c.func('int posix_spawn_file_actions_adddup2(void*, int, int)');
const actionsChdir = c.func('int posix_spawn_file_actions_addchdir_np(void*, const char*)');
const actionsCloseFrom = c.func('int posix_spawn_file_actions_addclosefrom_np(void*, int)');
const actionsDestroy = c.func('int posix_spawn_file_actions_destroy(void*)');
const attrInit = c.func('int posix_spawnattr_init(void*)');
const attrSetFlags = c.func('int posix_spawnattr_setflags(void*, short)');
const attrSetGroup = c.func('int posix_spawnattr_setpgroup(void*, int)');
const attrSetDefault = c.func('int posix_spawnattr_setsigdefault(void*, void*)');
const attrSetMask = c.func('int posix_spawnattr_setsigmask(void*, void*)');
const sigfillset = c.func('int sigfillset(void*)');
const sigemptyset = c.func('int sigemptyset(void*)');
const c_waitpid = c.func('int waitpid(int, _Out_ int*, int)');
const c_waitid = c.func('int waitid(int, unsigned int, void*, int)');

const SETPGROUP = 0x02;
const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const P_ALL = 0;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x1000000;
const SIZE_OF_ACTIONS = 80;
const SIZE_OF_ATTR = 336;
const SIZE_OF_SIGSET = 128;
const SIZE_OF_SIGINFO = 128;
const OFFSET_OF_SI_PID = 16; // on every 64-bit architecture

// Node ignores SIGPIPE and libuv blocks signals around its own forks: a child starts with every signal at its default.
const allSignals = Buffer.alloc(SIZE_OF_SIGSET);
const noSignals = Buffer.alloc(SIZE_OF_SIGSET);
sigfillset(allSignals);
sigemptyset(noSignals);

let devNull: number | undefined;

/** A descriptor of /dev/null, opened once. */
export function nullDescriptor(): number {
  devNull ??= openSync('/dev/null', 'r+');
  return devNull;
}

export interface SpawnRequest {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  /** The child's descriptor n becomes a copy of descriptors[n]; everything else of ours is close-on-exec. */
  readonly descriptors: readonly number[];
}

/** Starts a process in a process group of its own and returns its pid. Throws SyscallError (ENOENT: no such program). */
export function posixSpawn(request: SpawnRequest): number {
  const actions = Buffer.alloc(SIZE_OF_ACTIONS);
  const attributes = Buffer.alloc(SIZE_OF_ATTR);
  actionsInit(actions);
  attrInit(attributes);
  attrSetFlags(attributes, SETPGROUP | SETSIGDEF | SETSIGMASK);
  attrSetGroup(attributes, 0);
  attrSetDefault(attributes, allSignals);
  attrSetMask(attributes, noSignals);
  if (request.cwd !== undefined) actionsChdir(actions, request.cwd);
  addDescriptors(actions, request.descriptors);
  const pid: [number] = [0];
  const env = Object.entries(request.env).map(([name, value]) => `${name}=${value}`);
  const errno = posix_spawn(pid, request.file, actions, attributes, [request.file, ...request.args, null], [...env, null]);
  actionsDestroy(actions);
  if (errno !== 0) throw new SyscallError('posix_spawn', errno, request.file);
  return pid[0];
}

/**
 * The dup2 calls run in order in the child, so one could overwrite the source of a later one: where sources and targets
 * overlap, all sources are first copied out of the way. Whatever is left above the targets is closed, so that a
 * descriptor we ourselves inherited without close-on-exec goes no further.
 */
function addDescriptors(actions: Buffer, descriptors: readonly number[]): void {
  const count = descriptors.length;
  if (descriptors.every((source) => source >= count)) {
    descriptors.forEach((source, target) => actionsDup2(actions, source, target));
  } else {
    const parking = 1000; // above any descriptor a child of ours is given
    descriptors.forEach((source, target) => actionsDup2(actions, source, parking + target));
    descriptors.forEach((_, target) => actionsDup2(actions, parking + target, target));
  }
  actionsCloseFrom(actions, count);
}

export interface ExitStatus {
  /** The exit code, or 128 + n when signal n ended the process. */
  readonly code: number;
  readonly signal: number | undefined;
}

const childInfo = Buffer.alloc(SIZE_OF_SIGINFO);

/** The pid of a child, anybody's in this process, that has exited and is not collected yet; undefined when there is none. */
export function anyExited(): number | undefined {
  childInfo.fill(0);
  if (c_waitid(P_ALL, 0, childInfo, WEXITED | WNOHANG | WNOWAIT) !== 0) return undefined; // no child at all, or interrupted
  return childInfo.readInt32LE(OFFSET_OF_SI_PID) || undefined;
}

/**
 * Collects a child of posixSpawn if it has exited; undefined while it runs. One that is no child (any more) counts as ended:
 * nobody will ever tell how.
 */
export function reap(pid: number): ExitStatus | undefined {
  const status: [number] = [0];
  const result = c_waitpid(pid, status, WNOHANG);
  if (result === 0) return undefined;
  if (result < 0) return koffi.errno() === constants.errno.EINTR ? undefined : { code: 255, signal: undefined };
  const signal = status[0] & 0x7f;
  return signal === 0 ? { code: (status[0] >> 8) & 0xff, signal: undefined } : { code: 128 + signal, signal };
}
