/** Files of the node are changed with a way back: a copy and a line in the journal come first. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { failure } from '../base/errors.ts';
import { replaceContent } from '../host/files.ts';
import type { FileChange } from './kubelet/find-kubelet.ts';
import { sha256 } from './journal.ts';
import type { Journal } from './journal.ts';
import type { NodeFiles } from './node-files.ts';

interface Place {
  readonly node: NodeFiles;
  readonly journal: Journal;
  readonly step: string;
}

/** Writes the files that are not yet as they are to be. One that is neither as it was nor as it is to be: failed-precondition. */
export async function writeChanges({ node, journal, step }: Place, changes: readonly FileChange[]): Promise<void> {
  for (const { file, before, after } of changes) {
    const now = await node.read(file);
    if (now === after) continue;
    if (now !== before) throw failure('failed-precondition', { act: 'change', object: file, why: 'somebody has changed it in the meantime: look at the plan again' });
    const backup = now === undefined ? {} : { backup: await journal.backUp(node.at(file)) };
    journal.add({ event: 'write', step, file, ...backup, sha256: sha256(after) });
    await replace(node.at(file), after);
  }
}

/** Gives the files that a step has changed their old content. One that somebody has changed since: failed-precondition, and it stays as it is. */
export async function restoreChanges({ node, journal, step }: Place): Promise<void> {
  for (const { file, backup, sha256: written } of journal.writesOf(step)) {
    const kept = backup === undefined ? undefined : path.join(journal.folder, backup);
    const [now, old] = [await node.read(file), kept === undefined ? undefined : await readFile(kept, 'utf8')];
    if (now === old) continue;
    if (now !== undefined && sha256(now) !== written) {
      const remedy = kept === undefined ? 'remove it by hand' : `compare it with ${kept} and put that in its place by hand`;
      throw failure('failed-precondition', { act: 'restore', object: file, why: `somebody has changed it since: ${remedy}, then undo again` });
    }
    if (kept === undefined) await rm(node.at(file), { force: true });
    else await replace(node.at(file), old!);
  }
}

async function replace(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o755 });
  await replaceContent(file, text);
}
