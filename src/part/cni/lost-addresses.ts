import { networkInterfaces } from 'node:os';
import { hasCode } from '../../base/errors.ts';
import { inNetworkNamespace } from '../../host/namespaces.ts';
import { addAddress } from '../../host/network-interface.ts';

/**
 * Gives a pod's interface those addresses back that it has lost since ADD: gVisor takes them over into a network of its own, and the bridge
 * plugin takes firewall rules away only for addresses that it finds on the interface. No such interface any more: nothing.
 */
export function putBackAddresses({ netnsPath, ifName }: { readonly netnsPath: string; readonly ifName: string }, addresses: readonly string[]): void {
  try {
    inNetworkNamespace(netnsPath, () => {
      const present = new Set(networkInterfaces()[ifName]?.map(({ address }) => address));
      for (const address of addresses) if (!present.has(address)) addAddress(ifName, address);
    });
  } catch (error) {
    if (!hasCode(error, 'ENODEV')) throw error;
  }
}
