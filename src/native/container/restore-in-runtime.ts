/** The two ends of a restore in the OCI runtime: what is written for it when the container is created, and the restore itself, which is the container's start. */
import { writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { failure } from '../../base/errors.ts';
import { archiveNames } from '../../part/checkpoint/archive-names.ts';
import { renameHost } from '../../part/checkpoint/check-images.ts';
import { checkPrograms, createWithConmon } from '../../part/oci/conmon.ts';
import { encodeSpec } from '../../part/spec/encode-spec.ts';
import type { OciSpec } from '../../part/spec/oci-spec.ts';
import { withReasons } from './capture-containers.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerRecord } from './container-record.ts';
import type { ContainerInTheMaking } from './create-container.ts';
import { updateRecord } from './update-record.ts';
import { watchContainer } from './watch-container.ts';

/** The annotation by which the OCI runtimes let a container have a configuration of CRIU's of its own. */
const criuConfigAnnotation = 'org.criu.config';

/** Writes config.json, and for CRIU what the OCI runtime does not tell it: which namespaces of the pod are to be joined. Nothing runs yet. */
export async function prepareRestore(deps: ContainerDeps, { id, pod }: ContainerInTheMaking, made: { spec: OciSpec; folder: string; logPath: string }): Promise<void> {
  const { bundle } = containerPaths(deps.roots, id);
  const criuConfig = join(bundle, 'criu.conf');
  const spec = { ...made.spec, annotations: { ...made.spec.annotations, [criuConfigAnnotation]: criuConfig } };
  writeFileSync(join(bundle, 'config.json'), encodeSpec(spec), { mode: 0o600 });
  writeFileSync(criuConfig, criuSettings(made.spec), { mode: 0o600 });
  if (made.logPath !== '') await deps.paths.makeDirectory(dirname(made.logPath));
  await renameHost(join(made.folder, archiveNames.images), pod.hostname);
}

/**
 * Connections of the old pod are closed: its address is another's. The OCI runtime puts CRIU into the new container's cgroup, and what CRIU makes stays there: left to itself
 * it would look for the cgroup of the captured one.
 */
function criuSettings(spec: OciSpec): string {
  const joined = spec.linux.namespaces.filter(({ type, path }) => path !== undefined && (type === 'ipc' || type === 'uts'));
  return [...joined.map(({ type, path }) => `join-ns ${type}:${path}`), 'manage-cgroups ignore', 'tcp-close', 'file-locks', 'ext-unix-sk', ''].join('\n');
}

/**
 * Has CRIU restore the container: it runs when this returns. What fails leaves it CREATED, and it can be tried again; one that was
 * stopped or removed meanwhile is failed-precondition.
 */
export async function restoreInRuntime(deps: ContainerDeps, record: ContainerRecord, folder: string): Promise<void> {
  const { id, handler, cgroup, config, logPath } = record;
  const { bundle } = containerPaths(deps.roots, id);
  const runtime = deps.handlers.of(handler);
  await checkPrograms({ conmon: deps.conmonPath, runtime, id });
  try {
    const made = await deps.effects.make({ owner: id, kind: 'runtime', data: { handler, cgroup, bundle } }, () => createWithConmon({
      conmon: deps.conmonPath,
      runtime,
      id,
      name: config.metadata?.name ?? id,
      bundle,
      exitDir: deps.exitDir,
      logPath,
      stdin: config.stdin,
      stdinOnce: config.stdinOnce,
      terminal: config.tty,
      cgroups: [],
      deadlineMs: runtime.createTimeoutMs,
      restoreFrom: join(folder, archiveNames.images),
    }, deps.log));
    if (!deps.cgroups.pids(cgroup).includes(made.container.pid)) throw failure('failed-precondition', { act: 'restore container', object: id, why: `${runtime.name} left it outside of its cgroup, where its limits do not hold; with cgroup.driver = "cgroupfs" it does not` });
    const current = deps.records.get(id);
    if (current === undefined || current.exit !== undefined) throw failure('failed-precondition', { act: 'restore container', object: id, why: 'it was stopped meanwhile' });
    const running = updateRecord(deps, id, { process: made.container, monitor: made.conmon, restore: undefined });
    watchContainer(deps, running!, made.conmonExited);
  } catch (error) {
    const told = await withReasons(error, join(bundle, 'restore.log'));
    await deps.locks.run(id, () => deps.effects.undo(id, ['runtime'])).catch(() => {}); // a debt, and the first failure is the news
    throw told;
  }
  await tidy(deps, record, bundle);
}

/** The images go, which may be as large as memory, and the settings of the restore: a checkpoint of this container would read them too. */
async function tidy(deps: ContainerDeps, { id }: ContainerRecord, bundle: string): Promise<void> {
  await writeFile(join(bundle, 'criu.conf'), '');
  await deps.locks.run(id, () => deps.effects.undo(id, ['checkpoint-images'])).catch(() => {}); // a debt
}
