import { basename } from 'node:path';
import { run } from '../../host/spawn.ts';

/** Runtimes that need more than the OCI specification says, or do more than it says. */
const kinds = ['crun', 'runsc'] as const;
export type RuntimeKind = (typeof kinds)[number] | 'plain';

/** Which runtime a program is, by what it says of itself; by its name when it says nothing (it may be installed later). Waits 10 s at most. */
export async function runtimeKind(path: string): Promise<RuntimeKind> {
  const answer = await run(path, ['--version'], { deadlineMs: 10_000 }).catch(() => undefined);
  const isOf = answer?.code === 0 ? (kind: string) => answer.stdout.toString().startsWith(`${kind} `) : (kind: string) => basename(path).startsWith(kind);
  return kinds.find(isOf) ?? 'plain';
}
