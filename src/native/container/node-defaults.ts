import { failure } from '../../base/errors.ts';
import type { SnapshotDriver } from '../../part/snapshot/snapshotter.ts';
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
  /** What new pods of a handler stand on, by its name. */
  readonly grounds: ReadonlyMap<string, PodGround>;
}

/** What a handler's pods have in place of the node's; undefined where they have that. */
export interface PodGround {
  readonly cniConfDir: string | undefined;
  readonly snapshotter: SnapshotDriver | undefined;
}

/**
 * What a handler gives to all that is made with it. failed-precondition for one of which nobody knows that any more: a container that is made
 * without (with the node's devices, say, which the handler kept from it) is not the one that was meant.
 */
export function handlerDefaults(defaults: NodeDefaults, handler: string): HandlerDefaults {
  const found = defaults.handlers.get(handler);
  if (found !== undefined) return found;
  throw failure('failed-precondition', { act: 'make a container with runtime handler', object: JSON.stringify(handler), why: `it was taken out of the configuration: put [runtime.handlers.${handler}] back, or make the pod anew with another handler` });
}

/** What a new pod of the handler stands on. */
export function podGround({ grounds }: NodeDefaults, handler: string): PodGround {
  return grounds.get(handler) ?? { cniConfDir: undefined, snapshotter: undefined };
}
