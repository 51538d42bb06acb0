import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../base/errors.ts';
import { execMarker, readPid } from '../../part/oci/exec-files.ts';
import { killExecTree } from '../../part/oci/kill-exec-tree.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerRecord } from './container-record.ts';

/** What part/oci/exec-files.ts calls its files. */
const execFile = /^exec-([0-9a-f]+)\.(json|pid|inner|sock)$/;

/**
 * Ends the commands that the daemon before this one was running in a container: whoever asked for them has had a failure. Their files
 * go too, for they hold the container's environment.
 */
export async function endOrphanedExecs(deps: Pick<ContainerDeps, 'roots' | 'cgroups' | 'handlers' | 'log'>, record: ContainerRecord): Promise<void> {
  const { bundle } = containerPaths(deps.roots, record.id);
  const files = namesIn(bundle).filter((name) => execFile.test(name));
  const tokens = new Set(files.map((name) => execFile.exec(name)![1]!));
  for (const token of tokens) {
    await deps.handlers.find(record.handler)?.killInSandbox(record.id, readPid(join(bundle, `exec-${token}.inner`)));
    const left = await killExecTree({ container: record.id, pid: readPid(join(bundle, `exec-${token}.pid`)), marker: `${execMarker}=${token}`, containerPids: () => deps.cgroups.pids(record.cgroup) });
    if (left.length > 0) deps.log.warn('cannot end the command of an exec that a restart cut short', { container: record.id, pids: left });
  }
  for (const name of files) rmSync(join(bundle, name), { force: true });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
