import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { checkPrograms } from '../../part/oci/conmon.ts';
import { createInfraProcess } from '../../part/oci/infra-process.ts';
import type { ProcessRef } from '../../part/oci/process-ref.ts';
import { buildInfraSpec } from '../../part/spec/build-infra-spec.ts';
import { encodeSpec } from '../../part/spec/encode-spec.ts';
import { handlerDefaults } from '../container/node-defaults.ts';
import type { PodDeps } from './pod-deps.ts';
import { hostnameOf, pinnedNamespaces } from './pod-namespaces.ts';
import { podPaths } from './pod-paths.ts';
import type { PodInTheMaking } from './run-pod.ts';
import { podIdMappings, sharesPidNamespace } from './pod-state.ts';

/** Starts process 1 of a pod whose containers share their PID namespace; any other pod has no process of its own. */
export async function startInfra(deps: PodDeps, pod: PodInTheMaking, cgroupParent: string): Promise<ProcessRef | undefined> {
  if (!sharesPidNamespace(pod.config)) return undefined;
  const defaults = deps.defaults();
  const bundle = podPaths(deps.roots.state, pod.id).infra;
  const rootfs = join(bundle, 'rootfs');
  const cgroupsPath = deps.cgroups.containerPath(cgroupParent, pod.id);
  const { net, ipc, uts, user } = pinnedNamespaces(deps.roots.state, pod.id);
  // The pause program runs as nobody: its root has to be open to it, its bundle only to be passed.
  mkdirSync(bundle, { mode: 0o711 });
  mkdirSync(rootfs, { mode: 0o755 });
  const maps = podIdMappings(pod.config);
  if (maps !== undefined) chownSync(rootfs, maps.uids.hostId, maps.gids.hostId);
  writeFileSync(join(bundle, 'config.json'), encodeSpec(buildInfraSpec({
    podId: pod.id,
    podConfig: pod.config,
    namespaces: { ...(net === undefined ? {} : { network: net }), ...(ipc === undefined ? {} : { ipc }), ...(uts === undefined ? {} : { uts }), ...(user === undefined ? {} : { user }) },
    rootfs,
    program: deps.pausePath,
    args: basename(deps.pausePath) === 'catatonit' ? ['-P'] : [], // its pause mode; other pause programs take no argument
    cgroupsPath,
    hostname: hostnameOf(pod),
    facts: deps.hostFacts,
    defaults: defaults.container,
    handler: handlerDefaults(defaults, pod.handler),
  })), { mode: 0o600 });
  const runtime = deps.handlers.of(pod.handler);
  await checkPrograms({ conmon: deps.conmonPath, runtime, id: pod.id });
  return await deps.effects.make({ owner: pod.id, kind: 'infra', data: { handler: pod.handler, cgroup: cgroupsPath, bundle } }, async () => {
    const { container } = await createInfraProcess({ conmon: deps.conmonPath, runtime, id: pod.id, name: 'infra', bundle, exitDir: deps.exitDir, cgroups: [], deadlineMs: runtime.createTimeoutMs }, deps.log);
    await runtime.start(pod.id);
    return container;
  });
}
