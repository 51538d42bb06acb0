import { failure } from '../../base/errors.ts';
import { findProgram, systemPath } from '../../host/find-program.ts';
import { run } from '../../host/spawn.ts';

/** Files that are to be in a tar. */
export interface TarOrder {
  readonly directory: string;
  /** Paths in it, as bytes. A directory stands for itself, or with `recursive` for all that is in it. */
  readonly names: readonly Buffer[];
  readonly recursive: boolean;
  /** The tar's file: made when it is not there, else emptied and its mode kept. */
  readonly to: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/**
 * Writes a tar (POSIX.1-2001 pax) with owners by number, extended attributes, hard links, devices and holes: GNU tar, which CRIU runs too and so is there. What
 * overlayfs notes in attributes for itself stays out of it. Symlinks are not followed. Errors: failed-precondition without the program,
 * resource-exhausted on a full disk, else internal with tar's sentence.
 */
export async function writeTar({ directory, names, recursive, to, deadlineMs, signal }: TarOrder): Promise<void> {
  const tar = findProgram('tar', systemPath);
  if (tar === undefined) throw failure('failed-precondition', { act: 'write', object: to, why: 'there is no program tar: install the package tar' });
  const args = [
    '--create', '--file', to, '--format=posix', '--pax-option=delete=atime,delete=ctime', '--numeric-owner', '--xattrs', '--xattrs-include=*', '--xattrs-exclude=trusted.overlay.*', '--sparse',
    recursive ? '--recursion' : '--no-recursion', '--directory', directory, '--null', '--verbatim-files-from', '--files-from=-',
  ];
  const { code, stderr } = await run(tar, args, { input: Buffer.concat(names.flatMap((name) => [name, Buffer.of(0)])), deadlineMs, signal, maxOutputBytes: 4000 });
  if (code === 0) return;
  const why = stderr.toString().split('\n', 1)[0]!.slice(0, 500);
  throw failure(/no space left|quota exceeded/i.test(why) ? 'resource-exhausted' : 'internal', { act: 'write', object: to, why });
}
