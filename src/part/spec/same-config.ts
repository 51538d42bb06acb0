import { isDeepStrictEqual } from 'node:util';
import { ContainerConfig } from '../../gen/cri.ts';

/**
 * Whether two creations ask for the same container. Compared as messages, for a config that was read back from the store lacks the members that were undefined; and decoded again, for
 * maps have no order: the kubelet encodes labels and annotations in another one each time.
 */
export function sameConfig(one: ContainerConfig, other: ContainerConfig): boolean {
  const plain = (config: ContainerConfig): ContainerConfig => ContainerConfig.decode(ContainerConfig.encode(config).finish());
  return isDeepStrictEqual(plain(one), plain(other));
}
