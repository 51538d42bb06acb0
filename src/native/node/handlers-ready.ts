import { access, constants } from 'node:fs/promises';
import type { RuntimeCondition } from '../../gen/cri.ts';
import type { CniStatus } from '../../part/cni/network.ts';
import type { OciRuntime } from '../../part/oci/oci-runtime.ts';
import type { Probed } from '../../part/oci/probe-cache.ts';

export interface AskedHandler {
  readonly runtime: Pick<OciRuntime, 'name' | 'path'>;
  readonly probed: Probed;
  /** That of the handler's own directory; undefined where its pods have the node's. */
  readonly network: CniStatus | undefined;
}

export interface TroubleRequest {
  readonly handlers: readonly AskedHandler[];
  /** RuntimeReady speaks of its program. */
  readonly standard: Pick<OciRuntime, 'name'>;
  /** Whether nobody asked for the handler: then its program may as well be missing. */
  readonly isBuiltIn: (handler: string) => boolean;
}

/** A sentence for each handler that takes its own pods down: whose program cannot run, or whose network is not there. */
export async function handlerTroubles({ handlers, standard, isBuiltIn }: TroubleRequest): Promise<string[]> {
  const found = await Promise.all(handlers.map(async ({ runtime, probed, network }) => {
    const { name, path } = runtime;
    const broken = 'error' in probed && name !== standard.name && !(isBuiltIn(name) && await isMissing(path));
    return [...(broken ? [`${name}: ${probed.error}`] : []), ...(network?.ready === false ? [`${name}: ${network.message}`] : [])];
  }));
  return found.flat();
}

/**
 * A condition besides the two that the kubelet reads, which it shows and does not act on: there only when something is wrong, as every client that wants all
 * conditions to hold would otherwise have to know it.
 */
export function handlersReady(troubles: readonly string[]): RuntimeCondition[] {
  return troubles.length === 0 ? [] : [{ type: 'RuntimeHandlersReady', status: false, reason: 'HandlerCannotRun', message: troubles.join('; ') }];
}

async function isMissing(program: string): Promise<boolean> {
  return await access(program, constants.F_OK).then(() => false, () => true);
}
