import type { Mount } from '../../gen/cri.ts';
import { checkMappings } from './id-mappings.ts';
import type { OciMount } from './oci-spec.ts';
import { ociMapping } from './with-user-namespace.ts';

/** A volume that shows its files under the pod's ids (KEP-127): the runtime makes an idmapped mount of it. */
export function mountMappings({ uidMappings, gidMappings }: Mount, field: string): Pick<OciMount, 'uidMappings' | 'gidMappings'> {
  if (uidMappings.length === 0 && gidMappings.length === 0) return {};
  const { uids, gids } = checkMappings({ uids: uidMappings, gids: gidMappings }, { uids: `${field}.uidMappings`, gids: `${field}.gidMappings` });
  return { uidMappings: [ociMapping(uids)], gidMappings: [ociMapping(gids)] };
}
