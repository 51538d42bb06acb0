import type { ContainerDefaults, HandlerDefaults } from '../../part/spec/container-defaults.ts';

/** What the configuration in force gives to pods and containers made from now on. */
export interface NodeDefaults {
  readonly container: ContainerDefaults;
  /** Of pods, those of `enable_unprivileged_ports` and the like apart. */
  readonly sysctls: Readonly<Record<string, string>>;
  readonly unprivilegedPorts: boolean;
  readonly unprivilegedIcmp: boolean;
  /** By name of the runtime handler. */
  readonly handlers: ReadonlyMap<string, HandlerDefaults>;
}

const nothing: HandlerDefaults = { allowedAnnotations: [], annotations: {}, baseSpec: undefined, privilegedDevices: 'all', minMemory: 0 };

/** A handler that a reload took away has pods still: it adds nothing to them. */
export function handlerDefaults(defaults: NodeDefaults, handler: string): HandlerDefaults {
  return defaults.handlers.get(handler) ?? nothing;
}
