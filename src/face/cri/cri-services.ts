/** The services of the CRI, RuntimeService and ImageService, each under both names of the interface. */
import { ImageServiceService, RuntimeServiceService } from '../../gen/cri.ts';
import type { AnyRpc, MethodDefinition, Service } from '../grpc/service.ts';
import { listEncoders } from './encode-list.ts';
import { imageService } from './image-service.ts';
import { apiVersions } from './rpc.ts';
import type { ApiVersion, CriDeps } from './rpc.ts';
import { runtimeService } from './runtime-service.ts';
import { subjectOf } from './subject-of.ts';

/** What changes something; the kubelet asks all the rest every second or so. */
const changing: ReadonlySet<string> = new Set([
  'RunPodSandbox', 'StopPodSandbox', 'RemovePodSandbox', 'CreateContainer', 'StartContainer', 'StopContainer', 'RemoveContainer',
  'UpdateContainerResources', 'UpdatePodSandboxResources', 'ReopenContainerLog', 'PullImage', 'RemoveImage', 'UpdateRuntimeConfig',
  'CheckpointContainer', 'CheckpointPod', 'RestorePod', 'Exec', 'Attach', 'PortForward',
]);

/** Serves runtime.v1 and runtime.v1alpha2 with the same RPCs. */
export function criServices(deps: CriDeps): Service[] {
  return apiVersions.flatMap((apiVersion) => [
    serviceOf(RuntimeServiceService, runtimeService, apiVersion, deps),
    serviceOf(ImageServiceService, imageService, apiVersion, deps),
  ]);
}

function serviceOf(
  definition: Readonly<Record<string, MethodDefinition>>, rpcs: Readonly<Record<string, AnyRpc>>, apiVersion: ApiVersion, deps: CriDeps,
): Service {
  return {
    definition: underName(definition, apiVersion), rpcs, changing, subjectOf,
    encoders: listEncoders,
    logFields: apiVersion === 'v1' ? {} : { api: apiVersion },
    callWith: (ctx) => ({ ...deps, apiVersion, ctx }),
  };
}

/** On the wire the two differ in the package's name. */
function underName(definition: Readonly<Record<string, MethodDefinition>>, apiVersion: ApiVersion): Record<string, MethodDefinition> {
  return Object.fromEntries(Object.entries(definition).map(([name, method]) => [
    name, { ...method, path: method.path.replace('/runtime.v1.', `/runtime.${apiVersion}.`) },
  ]));
}
