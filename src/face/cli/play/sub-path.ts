/**
 * Finding `subPath` inside a volume that containers may have written to. A symlink in it could lead anywhere on the node
 * (CVE-2017-1002101, CVE-2021-25741), so each step is opened beneath the one before, and a symlink is refused.
 */
import { constants } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { failure, hasCode } from '../../../base/errors.ts';

/** Not in node:fs; the value of asm-generic, which x86 and arm64 use. Opens without reading rights and without side effects. */
const O_PATH = 0o10000000;

/** The path of `subPath` in `volume`; missing directories are made, with the volume's mode. */
export async function resolveSubPath(volume: string, subPath: string): Promise<string> {
  let at = await open(volume, O_PATH | constants.O_DIRECTORY);
  try {
    const mode = (await at.stat()).mode & 0o7777;
    const steps = path.posix.normalize(subPath).split('/').filter((step) => step !== '' && step !== '.');
    for (const [i, step] of steps.entries()) {
      if (step === '..') throw refusal(volume, subPath, 'it leaves the volume by ..');
      const next = await openStep(at, step, mode);
      await at.close();
      at = next;
      const stat = await at.stat();
      if (stat.isSymbolicLink()) throw refusal(volume, subPath, `${step} is a symlink`);
      if (i < steps.length - 1 && !stat.isDirectory()) throw refusal(volume, subPath, `${step} is not a directory`);
    }
    return path.join(volume, ...steps);
  } finally {
    await at.close();
  }
}

async function openStep(parent: FileHandle, step: string, mode: number): Promise<FileHandle> {
  const there = `/proc/self/fd/${parent.fd}/${step}`;
  try {
    return await open(there, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    await mkdir(there).catch((cause: unknown) => {
      if (!hasCode(cause, 'EEXIST')) throw cause;
    });
    const made = await open(there, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    await made.chmod(mode);
    return made;
  }
}

function refusal(volume: string, subPath: string, why: string): Error {
  return failure('invalid-argument', { act: 'use subPath', object: `${subPath} of ${volume}`, why });
}
