import { failure } from '../../base/errors.ts';
import type { IDMapping, Mount, NamespaceOption } from '../../gen/cri.ts';
import { NamespaceMode } from '../../gen/cri.ts';
import type { SpecStep } from './build-container-spec.ts';
import { badField, securityContextField } from './check-field.ts';
import { checkMappings, sameMappings, userNamespaceMappings } from './id-mappings.ts';
import type { IdMappings } from './id-mappings.ts';
import type { OciIdMapping, OciLinux, OciMount } from './oci-spec.ts';
import type { SpecInput } from './spec-input.ts';

const field = `${securityContextField}.namespace_options`;

/** The pod's user namespace, joined by path. A container can neither leave it nor have another one. */
export const withUserNamespace: SpecStep = (spec, input) => {
  const mappings = podMappings(input);
  const options = input.config.linux?.securityContext?.namespaceOptions;
  checkSame(options, mappings);
  if (mappings === undefined) {
    refuseMountMappings(input.config.mounts);
    return spec;
  }
  if (options?.pid === NamespaceMode.NODE) throw badField(`${field}.pid`, 'it cannot be NODE in a pod with a user namespace of its own');
  checkIdentity(input, mappings);
  checkImageMappings(input.config.mounts, mappings);
  return { ...spec, mounts: userNamespaceMounts(spec.mounts, input), linux: inUserNamespace(spec.linux, input) };
};

/** What the pod's config maps; undefined in a pod that has the node's users. */
export function podMappings({ podConfig }: Pick<SpecInput, 'podConfig'>): IdMappings | undefined {
  return userNamespaceMappings(podConfig.linux?.securityContext?.namespaceOptions?.usernsOptions, `sandbox_${field}.userns_options`);
}

/** `linux` with the pod's user namespace in it, if it has one: its path and, for a runc of before 1.2, its maps once more. */
export function inUserNamespace(linux: OciLinux, input: Pick<SpecInput, 'podConfig' | 'namespaces'>): OciLinux {
  const mappings = podMappings(input);
  if (mappings === undefined) return linux;
  const { user } = input.namespaces;
  if (user === undefined) throw failure('failed-precondition', { act: 'join namespace', object: 'user', why: 'the pod has no such namespace of its own' });
  return { ...linux, namespaces: [{ type: 'user', path: user }, ...linux.namespaces], uidMappings: [ociMapping(mappings.uids)], gidMappings: [ociMapping(mappings.gids)] };
}

/**
 * A sysfs shows a network namespace, and only its owner may mount one: a user namespace in the node's network gets the node's /sys,
 * and can change nothing in it.
 */
export function userNamespaceMounts(mounts: readonly OciMount[], { podConfig }: Pick<SpecInput, 'podConfig'>): OciMount[] {
  const hostNetwork = podConfig.linux?.securityContext?.namespaceOptions?.network === NamespaceMode.NODE;
  return mounts.map((mount) =>
    (hostNetwork && mount.type === 'sysfs' ? { ...mount, type: 'bind', source: '/sys', options: ['rbind', 'rprivate', 'nosuid', 'noexec', 'nodev', 'rro'] } : mount));
}

export function ociMapping({ containerId, hostId, length }: IDMapping): OciIdMapping {
  return { containerID: containerId, hostID: hostId, size: length };
}

// Who says nothing is meant as the pod is: never as the node.
function checkSame(options: NamespaceOption | undefined, pods: IdMappings | undefined): void {
  const asked = options?.usernsOptions;
  if (asked === undefined) return;
  const mappings = userNamespaceMappings(asked, `${field}.userns_options`);
  if (!sameMappings(mappings, pods)) throw badField(`${field}.userns_options`, 'it is not what the pod was made with: all containers of a pod have its user namespace');
}

function refuseMountMappings(mounts: readonly Mount[]): void {
  for (const [index, { uidMappings, gidMappings }] of mounts.entries()) {
    if (uidMappings.length + gidMappings.length === 0) continue;
    throw badField(`config.mounts[${index}].${uidMappings.length > 0 ? 'uidMappings' : 'gidMappings'}`, 'the pod has no user namespace of its own whose ids it could map');
  }
}

/** All images of a pod are seen through one mapping: the pod's. */
function checkImageMappings(mounts: readonly Mount[], pods: IdMappings): void {
  for (const [index, { image, uidMappings, gidMappings }] of mounts.entries()) {
    if (image === undefined || uidMappings.length + gidMappings.length === 0) continue;
    const mountField = `config.mounts[${index}]`;
    const mappings = checkMappings({ uids: uidMappings, gids: gidMappings }, { uids: `${mountField}.uidMappings`, gids: `${mountField}.gidMappings` });
    if (!sameMappings(mappings, pods)) throw badField(`${mountField}.uidMappings`, "an image is shown with the owners that the pod's user namespace gives, and no others");
  }
}

/** A process can only have ids that are mapped; a runtime would fail with a number and no name. */
function checkIdentity({ config, identity }: SpecInput, { uids }: IdMappings): void {
  const { runAsUser, runAsGroup } = config.linux?.securityContext ?? {};
  const last = uids.length - 1;
  const check = (id: number, what: string, given: string | undefined): void => {
    if (id <= last) return;
    const why = `${id} is not mapped in the pod's user namespace, which has the ids 0 to ${last}`;
    throw given === undefined ? failure('failed-precondition', { act: 'run as', object: what, why }) : badField(`${securityContextField}.${given}`, why);
  };
  check(identity.uid, 'user', runAsUser === undefined ? undefined : 'run_as_user');
  check(identity.gid, 'group', runAsGroup === undefined ? undefined : 'run_as_group');
  for (const gid of identity.additionalGids) {
    check(gid, 'supplementary group', config.linux?.securityContext?.supplementalGroups.includes(BigInt(gid)) === true ? 'supplemental_groups' : undefined);
  }
}
