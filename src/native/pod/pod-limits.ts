import type { LinuxContainerResources, PodSandboxConfig } from '../../gen/cri.ts';
import type { HostFacts } from '../../part/spec/host-facts.ts';
import type { OciResources } from '../../part/spec/oci-spec.ts';
import { ociResources } from '../../part/spec/with-resources.ts';

const figures = ['cpuShares', 'cpuQuota', 'memoryLimitInBytes'] as const;

/**
 * The limits of a sandbox in which all containers of a pod run: what the kubelet says they come to, and the overhead of the RuntimeClass
 * on top. A limit that the pod as a whole has not is none.
 */
export function podLimits({ linux }: Pick<PodSandboxConfig, 'linux'>, facts: HostFacts): Omit<OciResources, 'devices'> {
  if (linux?.resources === undefined) return {};
  return ociResources(sum(linux.resources, linux.overhead), facts, 'config.linux.resources');
}

function sum(resources: LinuxContainerResources, overhead: LinuxContainerResources | undefined): LinuxContainerResources {
  const limited = figures.map((figure) => [figure, resources[figure] > 0n ? resources[figure] + (overhead?.[figure] ?? 0n) : resources[figure]] as const);
  return { ...resources, ...Object.fromEntries(limited) };
}
