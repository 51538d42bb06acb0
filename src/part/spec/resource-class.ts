import type { ContainerConfig, PodSandboxConfig } from '../../gen/cri.ts';
import { badField, quote } from './check-field.ts';

/** What has classes that the administrator defines and a pod chooses from: block I/O and cache/memory bandwidth (resctrl). */
export type ResourceClassKind = 'blockio' | 'rdt';

/**
 * The class that a container's or its pod's annotations name, the most specific first; undefined when none does. The keys are those
 * that other runtimes know.
 */
export function resourceClassOf(kind: ResourceClassKind, { config, podConfig }: { config: ContainerConfig; podConfig: PodSandboxConfig }): string | undefined {
  const prefix = `${kind}.resources.beta.kubernetes.io`;
  const [where, name] = [
    [`config.annotations[io.kubernetes.cri.${kind}-class]`, config.annotations[`io.kubernetes.cri.${kind}-class`]],
    [`sandbox_config.annotations[${prefix}/container.*]`, podConfig.annotations[`${prefix}/container.${config.metadata?.name ?? ''}`]],
    [`sandbox_config.annotations[${prefix}/pod]`, podConfig.annotations[`${prefix}/pod`]],
  ].find(([, value]) => value !== undefined && value !== '') ?? [];
  if (name === undefined) return undefined;
  // For RDT it is the name of a folder of the kernel's.
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(name)) throw badField(where!, `${quote(name)} is no name of a class`);
  return name;
}
