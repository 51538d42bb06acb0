/**
 * Tells when a configuration directory changed. inotify watches an inode, so a directory that is removed and made again
 * is lost to it (the reason why runtimes have sat on "CNI not initialized" until restarted). Here an event is only a hint:
 * what counts is a fingerprint of the directory, taken after a hint about it or its parent, and every few seconds anyway.
 * A directory whose file system does not answer counts as unchanged: the network that was read from it stays.
 */
import * as fs from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import * as path from 'node:path';

import { isKind, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { fencedFiles } from '../../host/fenced-files.ts';

export interface ConfWatcherOptions {
  readonly directory: string;
  /** Called once for any number of changes that come together; never while a call of it is running. */
  readonly onChange: () => Promise<void>;
  readonly log: Logger;
  readonly pollMs?: number;
}

export interface ConfWatcher {
  close(): void;
}

/** How long hints are gathered before looking: files come in several writes, directories in several files. */
const settleMs = 50;

/** Starts watching; `onChange` is called for what changes after this resolves. Keeps no process alive. */
export async function watchConf({ directory, onChange, log, pollMs = 3_000 }: ConfWatcherOptions): Promise<ConfWatcher> {
  let closed = false;
  let hinted: NodeJS.Timeout | undefined;
  let looking = false;
  let told = '';
  const hints = new HintSources(directory, hint);
  let seen = await look().catch((error: unknown) => {
    tell(error);
    return 'unread';
  });
  const poll = setInterval(hint, pollMs).unref();

  function hint(): void {
    if (!closed) hinted ??= setTimeout(() => void reloadIfChanged(), settleMs).unref();
  }

  /** Watches what stands there now first, so that what changes while it is looked at is hinted at. */
  async function look(): Promise<string> {
    await reachable(directory);
    if (!closed) hints.renew();
    return fingerprint(directory);
  }

  async function reloadIfChanged(): Promise<void> {
    hinted = undefined;
    if (closed) return;
    if (looking) return hint();
    looking = true;
    try {
      const now = await look();
      told = '';
      if (now === seen || closed) return;
      seen = now;
      await onChange();
    } catch (error) {
      tell(error);
    } finally {
      looking = false;
    }
  }

  /** Once, and not with every look. */
  function tell(error: unknown): void {
    if (messageOf(error) !== told) log.warn('cannot reload CNI configuration', { directory, error: messageOf(error) });
    told = messageOf(error);
  }

  return {
    close() {
      closed = true;
      clearInterval(poll);
      clearTimeout(hinted);
      hints.close();
    },
  };
}

/**
 * inotify on the directory and, for its comings and goings, on its parent, or where that is absent on the nearest ancestor;
 * each taken anew when another stands there.
 */
class HintSources {
  readonly #directory: string;
  readonly #hint: () => void;
  readonly #watchers = new Map<string, { identity: string; watcher: fs.FSWatcher }>();

  constructor(directory: string, hint: () => void) {
    this.#directory = directory;
    this.#hint = hint;
  }

  renew(): void {
    const [ancestor, next] = nearestAncestor(this.#directory);
    for (const [target, { watcher }] of this.#watchers) {
      if (target === this.#directory || target === ancestor) continue;
      watcher.close();
      this.#watchers.delete(target);
    }
    this.#watch(this.#directory, () => true);
    // An event under its own name tells that the ancestor went itself.
    this.#watch(ancestor, (changed) => changed === next || changed === path.basename(ancestor));
    // Gone meanwhile, and nobody would tell of the one above.
    if (!fs.existsSync(ancestor)) this.renew();
  }

  close(): void {
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watch(target: string, concerns: (changed: string | null) => boolean): void {
    // File systems give a new directory the inode number of the last one removed; its time of birth tells them apart.
    const found = fs.statSync(target, { throwIfNoEntry: false, bigint: true });
    const identity = found === undefined ? undefined : `${found.ino} ${found.birthtimeNs}`;
    const held = this.#watchers.get(target);
    if (held?.identity === identity) return;
    held?.watcher.close();
    this.#watchers.delete(target);
    if (identity === undefined) return;
    try {
      const watcher = fs.watch(target, { persistent: false }, (_, changed) => {
        if (concerns(changed)) this.#hint();
      });
      watcher.on('error', () => this.#hint());
      this.#watchers.set(target, { identity, watcher });
    } catch {
      // Gone again meanwhile, or the node is out of inotify watches: the poll still sees what changes.
    }
  }
}

/** The nearest directory above that exists, and the name in it that leads to `directory`. */
function nearestAncestor(directory: string): [ancestor: string, next: string] {
  const parent = path.dirname(directory);
  return parent === directory || fs.existsSync(parent) ? [parent, path.basename(directory)] : nearestAncestor(parent);
}

/** Resolves when it is known that what is there, if anything, answers (FencedFiles.reach); the calls after it may be synchronous then. */
async function reachable(target: string): Promise<void> {
  await fencedFiles.reach(target).catch((error: unknown) => {
    if (isKind(error, 'deadline-exceeded') || isKind(error, 'unavailable')) throw error;
  });
}

/**
 * Names, inodes, sizes and times of what is in a directory and one level below (where a list's further plugins are). One after the other, so
 * that a file system that dies meanwhile takes one thread.
 */
async function fingerprint(directory: string, depth = 1): Promise<string> {
  const names = await readdir(directory).catch(() => undefined);
  if (names === undefined) return 'absent';
  const lines: string[] = [];
  for (const name of names.sort()) {
    const file = path.join(directory, name);
    await reachable(file);
    const found = await stat(file, { bigint: true }).catch(() => undefined);
    const below = found?.isDirectory() === true && depth > 0 ? await fingerprint(file, depth - 1) : '';
    lines.push([name, found?.ino, found?.size, found?.mtimeNs, found?.ctimeNs, below].join('\0'));
  }
  return lines.join('\n');
}
