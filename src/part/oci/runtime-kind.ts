import { basename } from 'node:path';
import { isKind } from '../../base/errors.ts';
import { run } from '../../host/spawn.ts';

/** Runtimes that need more than the OCI specification says, or do more than it says. */
const kinds = ['crun', 'runsc'] as const;
export type RuntimeKind = (typeof kinds)[number] | 'plain';

/**
 * Which runtime a program is, by what it says of itself; by its name when it cannot be run (it may be installed later). Undefined when it has not
 * answered within 10 s, or the signal aborts.
 */
export async function runtimeKind(path: string, signal?: AbortSignal): Promise<RuntimeKind | undefined> {
  try {
    const { code, stdout } = await run(path, ['--version'], { deadlineMs: 10_000, ...(signal === undefined ? {} : { signal }) });
    return code === 0 ? kinds.find((kind) => stdout.toString().startsWith(`${kind} `)) ?? 'plain' : kindByName(path);
  } catch (error) {
    return isKind(error, 'deadline-exceeded') || signal?.aborted === true ? undefined : kindByName(path);
  }
}

/** Which runtime its file's name is of. */
export function kindByName(path: string): RuntimeKind {
  return kinds.find((kind) => basename(path).startsWith(kind)) ?? 'plain';
}
