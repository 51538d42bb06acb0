import type { ContainerEdits, StagedHook } from '../../base/container-edits.ts';
import { during, failure, isKind } from '../../base/errors.ts';
import { getByIdPrefix } from '../../base/object-id.ts';
import { ContainerState, NamespaceMode } from '../../gen/cri.ts';
import type { ContainerConfig, LinuxContainerSecurityContext } from '../../gen/cri.ts';
import { requestedDevices } from '../../part/cdi/requested-devices.ts';
import { capabilitiesUnknownToGvisor } from '../../part/oci/gvisor.ts';
import { buildContainerSpec } from '../../part/spec/build-container-spec.ts';
import type { OciSpec } from '../../part/spec/oci-spec.ts';
import { hostDevices, resolveDevices } from '../../part/spec/resolve-devices.ts';
import { resolveUser } from '../../part/spec/resolve-user.ts';
import type { Identity } from '../../part/spec/resolve-user.ts';
import type { AppArmorState } from '../../part/spec/with-apparmor.ts';
import { askedAppArmor } from '../../part/spec/with-apparmor.ts';
import { withHooks } from '../../part/spec/with-hooks.ts';
import { localhostSeccompPath } from '../../part/spec/with-seccomp.ts';
import type { NamespacePaths, VolumeSources } from '../../part/spec/spec-input.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerInTheMaking } from './create-container.ts';
import { mapCdiMounts } from './map-cdi-mounts.ts';
import { handlerDefaults } from './node-defaults.ts';
import { selinuxOf } from './pod-place.ts';
import { resourceClasses } from './resource-classes.ts';
import { containerState } from './container-state.ts';

export interface BuiltSpec {
  readonly spec: OciSpec;
  readonly identity: Identity;
  readonly cgroupsPath: string;
}

/** Gathers what the pure spec pipeline wants to know (the user in the image, devices, profiles, namespaces) and runs it. */
export async function buildSpec(deps: ContainerDeps, { id, pod, config, image }: ContainerInTheMaking, volumes: VolumeSources): Promise<BuiltSpec> {
  const { rootfs } = containerPaths(deps.roots, id);
  const security = config.linux?.securityContext;
  const defaults = deps.defaults();
  const handler = handlerDefaults(defaults, pod.handler);
  const cgroupsPath = deps.cgroups.containerPath(pod.cgroupParent, id);
  const [identity, devices, allDevices, cdi, localhostSeccomp, apparmor, classes] = await Promise.all([
    resolveUser(rootfs, security, image.config.User ?? ''),
    resolveDevices(config.devices),
    security?.privileged === true && handler.privilegedDevices === 'all' ? hostDevices() : [],
    cdiEdits(deps, { pod, config }),
    readSeccompProfile(deps, config),
    apparmorFor(deps, config),
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
    volumes,
    facts: factsFor(deps, pod),
    defaults: defaults.container,
    handler,
    devices,
    hostDevices: allDevices,
    cdi,
    localhostSeccomp,
    apparmor,
    selinux: selinuxOf(deps.selinux, pod),
    ...classes,
  });
  return { spec: withHooks(spec, await hooksOf(deps, { pod, config }, spec)), identity, cgroupsPath };
}

/** What `ALL` and privileged stand for is less in a gVisor sandbox: it knows not every capability. */
function factsFor({ hostFacts, handlers }: ContainerDeps, pod: ContainerInTheMaking['pod']): ContainerDeps['hostFacts'] {
  if (handlers.find(pod.handler)?.sandbox === undefined) return hostFacts;
  return { ...hostFacts, capabilities: hostFacts.capabilities.filter((name) => !capabilitiesUnknownToGvisor.includes(name)) };
}

async function cdiEdits(deps: ContainerDeps, { pod, config }: Pick<ContainerInTheMaking, 'pod' | 'config'>): Promise<ContainerEdits[]> {
  return await mapCdiMounts(deps, pod, await deps.cdi.edits(requestedDevices(config)));
}

/** Chosen by the finished spec: only then is it known what the container runs. */
function hooksOf(deps: ContainerDeps, { pod, config }: Pick<ContainerInTheMaking, 'pod' | 'config'>, spec: OciSpec): Promise<StagedHook[]> {
  return deps.hooks.matching({
    command: spec.process.args[0]!,
    annotations: { ...config.annotations, ...pod.config.annotations },
    hasBindMounts: config.mounts.length > 0,
  });
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
  if (deps.handlers.find(target.handler)?.sandbox !== undefined) throw failure('failed-precondition', { act: 'share the PID namespace of container', object: targetId, why: 'gVisor cannot join one container to another: let the pod share its PID namespace' });
  if (target.podId !== podId) throw failure('invalid-argument', { act: 'share the PID namespace of container', object: targetId, why: 'it belongs to another pod' });
  if (containerState(target) !== ContainerState.CONTAINER_RUNNING) throw failure('failed-precondition', { act: 'share the PID namespace of container', object: targetId, why: 'it is not running' });
  return `/proc/${target.process.pid}/ns/pid`;
}

/** The largest seccomp profile that is read; Docker's default one has 13 KB. */
const maxProfileBytes = 1024 * 1024;

/** A profile that the administrator put on the node; the kubelet sends its absolute path. */
async function readSeccompProfile(deps: ContainerDeps, config: ContainerConfig): Promise<string | undefined> {
  const path = localhostSeccompPath(config);
  if (path === undefined) return undefined;
  try {
    return await deps.paths.readText(path, maxProfileBytes);
  } catch (cause) {
    const detail = { act: 'read seccomp profile', object: path };
    throw isKind(cause, 'not-found') ? failure('failed-precondition', { ...detail, why: 'there is no such file on this node', cause }) : during(cause, detail);
  }
}

/** Loads the default profile where it is wanted, and asks the kernel for its profiles where one is named. */
async function apparmorFor({ apparmor }: ContainerDeps, config: ContainerConfig): Promise<AppArmorState | undefined> {
  if (apparmor === undefined) return undefined;
  const { kind } = askedAppArmor(config);
  return {
    defaultProfile: kind === 'runtime-default' ? await apparmor.defaultProfile() : undefined,
    loaded: kind === 'localhost' ? await apparmor.loaded() : new Set(),
  };
}
