import { during, failure, isKind } from '../../base/errors.ts';
import type { ContainerDeps } from './container-deps.ts';

/**
 * The path that a volume's host path leads to, symlinks followed. Nothing there: failed-precondition, or a new directory where the
 * configuration says so; like one that an administrator made it stays. A file system that does not answer: deadline-exceeded.
 */
export async function resolveHostPath(deps: Pick<ContainerDeps, 'paths' | 'volumeSettings'>, hostPath: string, field: string): Promise<string> {
  const act = { act: 'check', object: `${field}.host_path` };
  try {
    return await deps.paths.resolve(hostPath);
  } catch (error) {
    if (!isKind(error, 'not-found')) throw during(error, act);
    if (!deps.volumeSettings().createMissingHostPaths) throw failure('failed-precondition', { ...act, why: `this node has no ${hostPath}: make it, or correct the path`, cause: error });
  }
  try {
    return await deps.paths.makeDirectory(hostPath);
  } catch (error) {
    throw during(error, act);
  }
}
