import { NamespaceMode, Signal } from '../../gen/cri.ts';
import type { ContainerConfig, PodSandboxConfig } from '../../gen/cri.ts';
import { badField, checkEnum, securityContextField } from './check-field.ts';
import { checkCount, checkName, checkTextMap, maxGroups } from './check-texts.ts';

/** Each is a mount of its own; a mount namespace holds 100 000 in all (fs.mount-max), those of the node's own tree among them. */
const maxMounts = 10_000;
const maxDevices = 4096;

/**
 * Refuses what can be told from the config alone, before anything is made for the container: invalid-argument naming the field. What
 * no later step would look at is refused too: asked for and silently not done is worse than an error. Only a pod
 * of which it was said (LinuxSandboxSecurityContext.privileged) has privileged containers.
 */
export function checkContainerConfig(config: ContainerConfig, podConfig: PodSandboxConfig): void {
  if (config.windows !== undefined) throw badField('config.windows', 'this is a Linux node');
  checkName('config.metadata.name', config.metadata?.name ?? '');
  checkEnum('config.stop_signal', config.stopSignal, Signal);
  checkTextMap('config.labels', config.labels);
  checkTextMap('config.annotations', config.annotations);
  checkTextMap('config.image.annotations', config.image?.annotations ?? {});
  checkCount('config.mounts', config.mounts, maxMounts);
  checkCount('config.devices', config.devices, maxDevices);
  checkSecurity(config);
  if (config.linux?.securityContext?.privileged && !podConfig.linux?.securityContext?.privileged) {
    throw badField(`${securityContextField}.privileged`, "the pod's own security context is not privileged");
  }
}

function checkSecurity(config: ContainerConfig): void {
  const context = config.linux?.securityContext;
  if (context === undefined) return;
  checkCount(`${securityContextField}.supplemental_groups`, context.supplementalGroups, maxGroups);
  checkCount(`${securityContextField}.masked_paths`, context.maskedPaths, maxMounts);
  checkCount(`${securityContextField}.readonly_paths`, context.readonlyPaths, maxMounts);
  const options = context.namespaceOptions;
  if (options !== undefined && options.targetId !== '' && options.pid !== NamespaceMode.TARGET) {
    throw badField(`${securityContextField}.namespace_options.target_id`, 'it can only be given with pid mode TARGET');
  }
}
