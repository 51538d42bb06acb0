import { chmodSync, chownSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { libc } from '../../host/libc.ts';
import { checkPrograms } from '../../part/oci/conmon.ts';
import { createInfraProcess } from '../../part/oci/infra-process.ts';
import type { ProcessRef } from '../../part/oci/process-ref.ts';
import { buildInfraSpec } from '../../part/spec/build-infra-spec.ts';
import { encodeSpec } from '../../part/spec/encode-spec.ts';
import { handlerDefaults } from '../container/node-defaults.ts';
import type { PodDeps } from './pod-deps.ts';
import { hostnameOf, pinnedNamespaces } from './pod-namespaces.ts';
import { podLimits } from './pod-limits.ts';
import { podPaths } from './pod-paths.ts';
import type { PodInTheMaking } from './run-pod.ts';
import { podFileLabel } from './selinux-level.ts';
import { podIdMappings, sharesPidNamespace } from '../../part/spec/pod-config.ts';

/**
 * Starts process 1 of a pod whose containers share their PID namespace, or the sandbox that the handler's runtime wants its containers to run
 * in (gVisor); any other pod has no process of its own.
 */
export async function startInfra(deps: PodDeps, pod: PodInTheMaking, cgroupParent: string): Promise<ProcessRef | undefined> {
  const runtime = deps.handlers.of(pod.handler);
  if (!sharesPidNamespace(pod.config) && runtime.sandbox === undefined) return undefined;
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
  const label = podFileLabel(deps.selinux, pod.selinuxLevel);
  if (label !== undefined) labelledRoot(rootfs, { pause: deps.pausePath, label });
  writeFileSync(join(bundle, 'config.json'), encodeSpec(buildInfraSpec({
    podId: pod.id,
    podConfig: pod.config,
    namespaces: { ...(net === undefined ? {} : { network: net }), ...(ipc === undefined ? {} : { ipc }), ...(uts === undefined ? {} : { uts }), ...(user === undefined ? {} : { user }) },
    rootfs,
    program: label === undefined ? deps.pausePath : undefined,
    args: basename(deps.pausePath) === 'catatonit' ? ['-P'] : [], // its pause mode; other pause programs take no argument
    cgroupsPath,
    resources: runtime.sandbox === undefined ? {} : podLimits(pod.config, deps.hostFacts),
    hostname: hostnameOf(pod),
    facts: deps.hostFacts,
    defaults: defaults.container,
    handler: handlerDefaults(defaults, pod.handler),
    apparmorProfile: await deps.apparmor?.defaultProfile(),
    selinux: deps.selinux && pod.selinuxLevel !== undefined ? { contexts: deps.selinux.contexts, podLevel: pod.selinuxLevel } : undefined,
  })), { mode: 0o600 });
  await checkPrograms({ conmon: deps.conmonPath, runtime, id: pod.id });
  return await deps.effects.make({ owner: pod.id, kind: 'infra', data: { handler: pod.handler, cgroup: cgroupsPath, bundle } }, async () => {
    const { container } = await createInfraProcess({ conmon: deps.conmonPath, runtime, id: pod.id, name: 'infra', bundle, exitDir: deps.exitDir, cgroups: [], deadlineMs: runtime.createTimeoutMs }, deps.log);
    await runtime.start(pod.id);
    return container;
  });
}

/** A policy lets a confined process run what has the label of its pod, which the node's own program has not: it gets a copy. */
function labelledRoot(rootfs: string, { pause, label }: { pause: string; label: string }): void {
  const copy = join(rootfs, 'pause');
  copyFileSync(pause, copy);
  chmodSync(copy, 0o755);
  for (const path of [rootfs, copy]) libc.lsetxattr(path, 'security.selinux', Buffer.from(`${label}\0`), 0);
}
