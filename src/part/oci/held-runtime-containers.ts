import { join } from 'node:path';
import type { HeldThing } from '../../base/held-thing.ts';
import { idInName } from '../../base/held-thing.ts';
import { removeTree } from '../../host/files.ts';
import { heldFiles, namesIn } from '../../host/held-files.ts';
import type { OciRuntime } from './oci-runtime.ts';

export interface RuntimeStates {
  /** Holds the state folder of each handler, by name. */
  readonly folder: string;
  readonly handlers: { find(name: string): OciRuntime | undefined };
}

/** Every container that an OCI runtime keeps a record of, as the folders in its state directory tell: crun and runc have one for each. */
export async function heldRuntimeContainers({ folder, handlers }: RuntimeStates): Promise<HeldThing[]> {
  const found = await Promise.all((await namesIn(folder)).map(async (handler): Promise<HeldThing[]> => {
    const things = await heldFiles({ kind: 'runtime container', folder: join(folder, handler), ownerOf: (name) => idInName.exec(name)?.[0] });
    return things.map((thing) => ({ ...thing, bytes: undefined, remove: () => remove(handlers.find(handler), thing) }));
  }));
  return found.flat();
}

/** By the runtime, which kills what still runs; a record that it does not know as one goes as a folder. */
async function remove(runtime: OciRuntime | undefined, { owner, name }: HeldThing): Promise<void> {
  await runtime?.delete(owner, { force: true });
  await removeTree(name);
}
