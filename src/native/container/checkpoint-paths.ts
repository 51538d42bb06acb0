import { join } from 'node:path';

/** Where the parts of a checkpoint lie while it is taken, or until the container is restored of them: on a disk, for they may be as large as the memory of the node. */
export function checkpointFolder({ root }: { readonly root: string }, id: string): string {
  return join(root, 'checkpoints', id);
}
