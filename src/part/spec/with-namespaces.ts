import { failure } from '../../base/errors.ts';
import type { NamespaceOption } from '../../gen/cri.ts';
import { NamespaceMode } from '../../gen/cri.ts';
import type { SpecStep } from './build-container-spec.ts';
import { badField, checkEnum, securityContextField } from './check-field.ts';
import type { OciNamespace } from './oci-spec.ts';
import type { SpecInput } from './spec-input.ts';

const field = `${securityContextField}.namespace_options`;

/**
 * Network, IPC and UTS are the pod's, joined by path, or the host's where the pod's config says NODE; PID as the container says; mounts always
 * its own. Where a namespace should be joined and no path is known the build fails: leaving the entry out would put the container on the host.
 */
export const withNamespaces: SpecStep = (spec, input) => {
  const options = input.config.linux?.securityContext?.namespaceOptions;
  return {
    ...spec,
    ...hostnameWhereOwn(input),
    linux: {
      ...spec.linux,
      namespaces: [{ type: 'mount' }, ...podNamespaces(input, options), ...pidNamespace(input, options), ...cgroupNamespace(input)],
    },
  };
};

/** Of a pod: its config, and the files of its namespaces. */
export type PodNamespaces = Pick<SpecInput, 'podConfig' | 'namespaces'>;

/** The namespaces that all containers of a pod share. `options`: a container's own wishes, which may not go beyond the pod's. */
export function podNamespaces({ podConfig, namespaces }: PodNamespaces, options: NamespaceOption | undefined): OciNamespace[] {
  const pod = podConfig.linux?.securityContext?.namespaceOptions;
  const network = pod?.network ?? NamespaceMode.POD;
  checkShared('network', options?.network, network);
  checkShared('ipc', options?.ipc, pod?.ipc ?? NamespaceMode.POD);
  return [
    ...joined('network', network, namespaces.network),
    ...joined('ipc', pod?.ipc ?? NamespaceMode.POD, namespaces.ipc),
    ...joined('uts', network, namespaces.uts), // with the node's network goes the node's name
  ];
}

/** A runtime sets the name only in a UTS namespace that is not the host's; with the pod's it is the name that it has already. */
export function hostnameWhereOwn({ namespaces, hostname }: Pick<SpecInput, 'namespaces' | 'hostname'>): { hostname?: string } {
  return namespaces.uts === undefined ? {} : { hostname };
}

function checkShared(type: 'network' | 'ipc', asked: NamespaceMode = NamespaceMode.POD, pods: NamespaceMode): void {
  const mode = checkEnum(`${field}.${type}`, asked, NamespaceMode);
  if (mode !== NamespaceMode.POD && mode !== NamespaceMode.NODE) throw badField(`${field}.${type}`, 'it can only be POD or NODE');
  if (mode === NamespaceMode.NODE && pods !== NamespaceMode.NODE) throw badField(`${field}.${type}`, 'it cannot be NODE in a pod that has its own');
}

function joined(type: 'network' | 'ipc' | 'uts', pods: NamespaceMode, path: string | undefined): OciNamespace[] {
  return pods === NamespaceMode.NODE ? [] : [{ type, path: path ?? missing(type) }];
}

// A container that says nothing of namespaces is meant as its pod is.
function pidNamespace({ podConfig, namespaces }: PodNamespaces, options: NamespaceOption | undefined): OciNamespace[] {
  const pods = podConfig.linux?.securityContext?.namespaceOptions?.pid ?? NamespaceMode.POD;
  const mode = checkEnum(`${field}.pid`, options?.pid ?? pods, NamespaceMode);
  if (mode === NamespaceMode.NODE || (mode === NamespaceMode.POD && pods === NamespaceMode.NODE)) return [];
  if (mode === NamespaceMode.CONTAINER) return [{ type: 'pid' }];
  if (mode === NamespaceMode.TARGET && (options?.targetId ?? '') === '') throw badField(`${field}.target_id`, 'pid mode TARGET needs it');
  return [{ type: 'pid', path: namespaces.pid ?? missing('pid') }];
}

// On cgroup v1 a namespace of its own would hide from a container where in each hierarchy it is, which programs there expect to read.
function cgroupNamespace(input: SpecInput): OciNamespace[] {
  return input.facts.cgroupMode === 'v2' && !input.config.linux?.securityContext?.privileged ? [{ type: 'cgroup' }] : [];
}

function missing(type: string): never {
  throw failure('failed-precondition', { act: 'join namespace', object: type, why: 'the pod has no such namespace of its own' });
}
