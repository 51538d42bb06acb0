import { LinuxPodSandboxConfig, LinuxSandboxSecurityContext } from '../../gen/cri.ts';
import type { PodSandboxConfig } from '../../gen/cri.ts';
import { badField, quote } from './check-field.ts';

/**
 * A pod's config, with the leave for privileged containers that came with the request or with the pod: a pod gets its first one long after it was made
 * when somebody debugs it, and the kubelet says so in the config that it sends with the container. A config of another pod: invalid-argument.
 */
export function announcedPod(own: PodSandboxConfig, announced: PodSandboxConfig | undefined): PodSandboxConfig {
  checkSamePod(own, announced);
  if (announced?.linux?.securityContext?.privileged !== true) return own;
  const linux = own.linux ?? LinuxPodSandboxConfig.decode(new Uint8Array());
  const securityContext = linux.securityContext ?? LinuxSandboxSecurityContext.decode(new Uint8Array());
  return { ...own, linux: { ...linux, securityContext: { ...securityContext, privileged: true } } };
}

/** A caller that means another pod than the one whose id it sends would put the container into a stranger's namespaces. */
function checkSamePod(own: PodSandboxConfig, taken: PodSandboxConfig | undefined): void {
  for (const name of ['name', 'namespace'] as const) {
    const [is, sent] = [own.metadata?.[name], taken?.metadata?.[name]];
    if (sent !== undefined && sent !== is) throw badField(`sandbox_config.metadata.${name}`, `it is ${quote(sent)}, and the pod of pod_sandbox_id has ${quote(is ?? '')}`);
  }
}
