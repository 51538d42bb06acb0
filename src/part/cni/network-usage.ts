import { readFileSync } from 'node:fs';
import { isKind } from '../../base/errors.ts';
import type { NetworkInterfaceUsage, NetworkUsage } from '../../gen/cri.ts';
import { inNetworkNamespace } from '../../host/namespaces.ts';
import { podInterface } from './pod-attachment.ts';

/** The traffic of a pod's interfaces, as the kernel counts it in the network namespace that is pinned there; undefined when it is gone. */
export function networkUsage(pin: string, timestamp: bigint): NetworkUsage | undefined {
  const table = networkTable(pin);
  if (table === undefined) return undefined;
  const interfaces = parseNetDev(table).filter(({ name }) => name !== 'lo');
  return { timestamp, defaultInterface: interfaces.find(({ name }) => name === podInterface), interfaces: interfaces.filter(({ name }) => name !== podInterface) };
}

/** Undefined when somebody unpinned the namespace: the stats of other pods are listed all the same. */
function networkTable(pin: string): string | undefined {
  try {
    return inNetworkNamespace(pin, () => readFileSync('/proc/thread-self/net/dev', 'latin1'));
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  }
}

/** proc_pid_net(5), `dev`: after the name eight figures of receiving and eight of sending; of each, bytes first and errors third. */
export function parseNetDev(table: string): NetworkInterfaceUsage[] {
  return table.split('\n').slice(2).filter((line) => line.includes(':')).map((line) => {
    const colon = line.indexOf(':');
    const figures = line.slice(colon + 1).trim().split(/\s+/);
    const figure = (index: number): { value: bigint } => ({ value: BigInt(figures[index] ?? 0) });
    return { name: line.slice(0, colon).trim(), rxBytes: figure(0), rxErrors: figure(2), txBytes: figure(8), txErrors: figure(10) };
  });
}

