/** What belongs to one daemon alone: its folders with their modes, and the locks that keep a second daemon out. */
import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../base/config/schema.ts';
import { failure, hasCode } from '../base/errors.ts';
import { makePrivateDir } from '../host/files.ts';
import { libc, LOCK_EX, LOCK_NB } from '../host/libc.ts';

/** Others may pass through, as a container with a user namespace must, but see nothing (CVE-2021-41103). */
const folderMode = 0o711;

const lockName = 'gantry.lock';

/**
 * Takes root, state and socket for this process until the result is disposed of or the process ends, however it ends.
 * Makes the folders and repairs modes that are wider than 0711. failed-precondition when another daemon has one of
 * them; the message names its process.
 */
export function claim(config: Pick<Config, 'root' | 'state' | 'socket'>): Disposable {
  using claimed = new DisposableStack();
  for (const key of ['root', 'state'] as const) {
    ownFolder(config[key], key);
    claimed.use(lock(join(config[key], lockName), { what: config[key], flag: `--${key}` }));
  }
  mkdirSync(dirname(config.socket), { recursive: true, mode: folderMode });
  claimed.use(lock(`${config.socket}.lock`, { what: config.socket, flag: '--socket' }));
  return claimed.move();
}

/**
 * Makes a folder ours. One that is open to others and full of things that no daemon put there is refused: narrowing
 * its mode would lock somebody out of what is theirs.
 */
function ownFolder(path: string, key: string): void {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode;
  if (mode !== undefined && (mode & 0o777 & ~folderMode) !== 0) {
    const inside = readdirSync(path).filter((name) => name !== 'lost+found');
    if (inside.length > 0 && !inside.includes(lockName)) {
      throw failure('failed-precondition', {
        act: `use as ${key}`,
        object: path,
        why: `it is open to other users and holds what is not gantry's (${inside[0]}): choose a folder for gantry alone, or chmod it to 0711`,
      });
    }
  }
  makePrivateDir(path, folderMode);
}

/** An exclusive flock(2): the kernel lets go of it when the process ends, so that kill -9 leaves no lock behind. */
function lock(path: string, { what, flag }: { what: string; flag: string }): Disposable {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    libc.flock(fd, LOCK_EX | LOCK_NB);
  } catch (error) {
    closeSync(fd);
    if (!hasCode(error, 'EAGAIN') && !hasCode(error, 'EWOULDBLOCK')) throw error; // one number, two names
    const holder = readFileSync(path, 'utf8').trim();
    const who = /^\d+$/.test(holder) ? `process ${holder}` : 'another process';
    throw failure('failed-precondition', { act: 'lock', object: what, why: `gantry serve runs with it already, as ${who}: stop that one, or give this one another ${flag}`, cause: error });
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`, 0);
  return { [Symbol.dispose]: () => closeSync(fd) };
}
