import { isDeepStrictEqual } from 'node:util';
import { NamespaceMode } from '../../gen/cri.ts';
import type { IDMapping, UserNamespace } from '../../gen/cri.ts';
import { badField, checkEnum } from './check-field.ts';

/** The ids of a pod: `length` of them from 0 are the node's from `hostId` on. */
export interface IdMappings {
  readonly uids: IDMapping;
  readonly gids: IDMapping;
}

/** The largest id that Linux knows; the one after it means "none". */
const lastId = 0xffff_fffe;

/**
 * The mappings of the user namespace that `options` ask for; undefined when they ask for the node's own (NODE, or nothing). As KEP-127
 * and the CRI have it: mode POD with exactly one mapping of users and one of groups, of one length, with id 0 in both; NODE with none.
 */
export function userNamespaceMappings(options: UserNamespace | undefined, field: string): IdMappings | undefined {
  if (options === undefined) return undefined;
  const mode = checkEnum(`${field}.mode`, options.mode, NamespaceMode);
  if (mode !== NamespaceMode.POD && mode !== NamespaceMode.NODE) throw badField(`${field}.mode`, 'it can only be POD or NODE');
  if (mode === NamespaceMode.POD) return checkMappings(options, { uids: `${field}.uids`, gids: `${field}.gids` });
  for (const name of ['uids', 'gids'] as const) {
    if (options[name].length > 0) throw badField(`${field}.${name}`, 'mode NODE has the ids of the node and maps none');
  }
  return undefined;
}

/** One mapping of users and one of groups that fit each other; invalid-argument names the field at fault. */
export function checkMappings(given: { readonly uids: readonly IDMapping[]; readonly gids: readonly IDMapping[] }, fields: { readonly uids: string; readonly gids: string }): IdMappings {
  const uids = checkMapping(given.uids, fields.uids);
  const gids = checkMapping(given.gids, fields.gids);
  if (uids.length !== gids.length) throw badField(`${fields.gids}[0].length`, `it is ${gids.length}, and that of the users is ${uids.length}: they have to be the same`);
  return { uids, gids };
}

function checkMapping(mappings: readonly IDMapping[], field: string): IDMapping {
  const [mapping] = mappings;
  if (mapping === undefined || mappings.length > 1) throw badField(field, `there has to be exactly one mapping, not ${mappings.length}`);
  if (mapping.containerId !== 0) throw badField(`${field}[0].container_id`, `it is ${mapping.containerId}, but 0, the root of the pod, has to be mapped`);
  if (mapping.length < 1) throw badField(`${field}[0].length`, 'it is 0: no id would be mapped');
  if (mapping.hostId + mapping.length - 1 > lastId) throw badField(`${field}[0].host_id`, `${mapping.length} ids from ${mapping.hostId} on go beyond the last one, ${lastId}`);
  return mapping;
}

/** True for two mappings that are the same, or two that are none. */
export function sameMappings(one: IdMappings | undefined, other: IdMappings | undefined): boolean {
  return isDeepStrictEqual(one, other);
}
