import type { ContainerConfig, PodSandboxConfig } from '../../gen/cri.ts';
import { badField, securityContextField } from './check-field.ts';

/**
 * Refuses what no later step would look at: asked for and silently not done is worse than an error. A pod says when it is made whether it will have
 * privileged containers (LinuxSandboxSecurityContext.privileged), and is held to it.
 */
export function checkContainerConfig(config: ContainerConfig, podConfig: PodSandboxConfig): void {
  if (config.windows !== undefined) throw badField('config.windows', 'this is a Linux node');
  if (config.linux?.securityContext?.privileged && !podConfig.linux?.securityContext?.privileged) {
    throw badField(`${securityContextField}.privileged`, "the pod's own security context is not privileged");
  }
}
