import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import type { HeldThing } from '../../base/held-thing.ts';
import type { Logger } from '../../base/log.ts';
import { heldFiles, namesIn } from '../../host/held-files.ts';
import { heldMounts } from '../../host/held-mounts.ts';

/** As crun and runc name the file that they bind themselves to (OciRuntime.environment). */
const copyName = /^(?:crun|runc)\.[A-Za-z0-9]{6}$/;

/** Such a file is there for less than a millisecond. */
const lookAgainMs = 500;

/** What an OCI runtime that was killed has left of its binding of itself, in the state folders of the handlers: a file, with a mount on it or not. */
export async function heldProgramCopies(folder: string): Promise<HeldThing[]> {
  const before = await look(folder);
  if (before.length === 0) return [];
  await sleep(lookAgainMs);
  const names = new Set(before.map(({ name }) => name));
  return (await look(folder)).filter(({ name }) => names.has(name));
}

/** Takes all of them away: for a daemon that has just started, as runtimes die with the one before it. What cannot be taken away is logged. */
export async function clearProgramCopies(folder: string, log: Logger): Promise<void> {
  for (const copy of await heldProgramCopies(folder)) {
    await copy.remove().catch((error: unknown) => log.warn('cannot clear what a killed runtime left', { file: copy.name, error: messageOf(error) }));
  }
}

async function look(folder: string): Promise<HeldThing[]> {
  const found = await Promise.all((await namesIn(folder)).map((handler) => copiesIn(join(folder, handler))));
  return found.flat();
}

async function copiesIn(folder: string): Promise<HeldThing[]> {
  const place = { kind: 'runtime program', folder, ownerOf: (name: string) => (copyName.test(name) ? name : undefined) };
  const files = await heldFiles(place);
  if (files.length === 0) return [];
  const mounts = await heldMounts([place]);
  return files.map((file) => ({
    ...file, bytes: undefined,
    async remove() {
      for (const mount of mounts) if (mount.name === file.name) await mount.remove();
      await file.remove();
    },
  }));
}
