import { readFile } from 'node:fs/promises';
import { failure, hasCode, isKind } from '../../base/errors.ts';
import { getByIdPrefix } from '../../base/object-id.ts';
import { ContainerState, NamespaceMode } from '../../gen/cri.ts';
import type { ContainerConfig, LinuxContainerSecurityContext } from '../../gen/cri.ts';
import { buildContainerSpec } from '../../part/spec/build-container-spec.ts';
import type { OciSpec } from '../../part/spec/oci-spec.ts';
import { hostDevices, resolveDevices } from '../../part/spec/resolve-devices.ts';
import { resolveUser } from '../../part/spec/resolve-user.ts';
import type { Identity } from '../../part/spec/resolve-user.ts';
import { localhostSeccompPath } from '../../part/spec/with-seccomp.ts';
import type { NamespacePaths } from '../../part/spec/spec-input.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerInTheMaking } from './create-container.ts';
import { handlerDefaults } from './node-defaults.ts';
import { inTime } from './in-time.ts';
import { resourceClasses } from './resource-classes.ts';
import { containerState } from './container-state.ts';

export interface BuiltSpec {
  readonly spec: OciSpec;
  readonly identity: Identity;
  readonly cgroupsPath: string;
}

/** Gathers what the pure spec pipeline wants to know (the user in the image, devices, profiles, namespaces) and runs it. */
export async function buildSpec(deps: ContainerDeps, { id, pod, config, image }: ContainerInTheMaking): Promise<BuiltSpec> {
  const { rootfs } = containerPaths(deps.roots, id);
  const security = config.linux?.securityContext;
  const defaults = deps.defaults();
  const cgroupsPath = deps.cgroups.containerPath(pod.cgroupParent, id);
  const [identity, devices, allDevices, localhostSeccomp, classes] = await Promise.all([
    resolveUser(rootfs, security, image.config.User ?? ''),
    resolveDevices(config.devices),
    security?.privileged === true ? hostDevices() : [],
    readSeccompProfile(config),
    resourceClasses(deps, { config, podConfig: pod.config }),
  ]);
  const spec = buildContainerSpec({
    podId: pod.id,
    config,
    podConfig: pod.config,
    image: image.config,
    identity,
    namespaces: namespacesOf(deps, { pod, security }),
    rootfs,
    cgroupsPath,
    hostname: pod.hostname,
    podFiles: { resolvConf: pod.resolvConf, hostname: pod.hostnameFile, shm: pod.shm },
    facts: deps.hostFacts,
    defaults: defaults.container,
    handler: handlerDefaults(defaults, pod.handler),
    devices,
    hostDevices: allDevices,
    localhostSeccomp,
    ...classes,
  });
  return { spec, identity, cgroupsPath };
}

function namespacesOf(deps: ContainerDeps, { pod, security }: { pod: ContainerInTheMaking['pod']; security: LinuxContainerSecurityContext | undefined }): NamespacePaths {
  const options = security?.namespaceOptions;
  const { net, ipc, uts, user } = pod.namespaces;
  const pid = options?.pid === NamespaceMode.TARGET ? targetPidNamespace(deps, pod.id, options.targetId) : pod.namespaces.pid;
  return {
    ...(net === undefined ? {} : { network: net }),
    ...(ipc === undefined ? {} : { ipc }),
    ...(uts === undefined ? {} : { uts }),
    ...(pid === undefined ? {} : { pid }),
    ...(user === undefined ? {} : { user }),
  };
}

/** A debug container looks at the processes of another container of its own pod, and of no other. */
function targetPidNamespace(deps: ContainerDeps, podId: string, targetId: string): string | undefined {
  if (targetId === '') return undefined;
  const target = getByIdPrefix(deps.records, targetId, 'target container');
  if (target.podId !== podId) throw failure('invalid-argument', { act: 'share the PID namespace of container', object: targetId, why: 'it belongs to another pod' });
  if (containerState(target) !== ContainerState.CONTAINER_RUNNING) throw failure('failed-precondition', { act: 'share the PID namespace of container', object: targetId, why: 'it is not running' });
  return `/proc/${target.process.pid}/ns/pid`;
}

/** A profile that the administrator put on the node; the kubelet sends its absolute path. */
async function readSeccompProfile(config: ContainerConfig): Promise<string | undefined> {
  const path = localhostSeccompPath(config);
  if (path === undefined) return undefined;
  try {
    return await inTime(readFile(path, 'utf8'), { act: 'read seccomp profile', path });
  } catch (cause) {
    if (isKind(cause, 'deadline-exceeded')) throw cause;
    throw failure(hasCode(cause, 'ENOENT') ? 'failed-precondition' : 'internal', { act: 'read seccomp profile', object: path, cause });
  }
}
