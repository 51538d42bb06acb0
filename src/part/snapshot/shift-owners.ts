/** Owners as a pod with a user namespace has them on the disk: what an ID-mapped mount would show, where files are copied instead. */
import type { IdMaps, IdRange } from '../../host/user-namespaces.ts';

/** Who owns files whose owner the pod does not have: nobody, on the node and in the pod (the kernel's overflow id). */
const overflowId = 65_534;

/** The node's number of an id of the image. */
export function shiftId(id: number, { containerId, hostId, length }: IdRange): number {
  const offset = id - containerId;
  return offset >= 0 && offset < length ? hostId + offset : overflowId;
}

/** The value of an extended attribute with the ids in it shifted; most have none and stay as they are. */
export function shiftXattr(name: string, value: Buffer, maps: IdMaps): Buffer {
  if (name === 'security.capability') return shiftCapability(value, maps.uids);
  if (name.startsWith('system.posix_acl_')) return shiftAcl(value, maps);
  return value;
}

// struct vfs_ns_cap_data, linux/capability.h: the revision is in the highest byte; the third says whose root may use them.
const revision2 = 0x02;
const revision3 = 0x03;
const rootIdOffset = 20;

/** Capabilities of a file without a root of their own count for the node's root only: they become those of the pod's. */
function shiftCapability(value: Buffer, uids: IdRange): Buffer {
  const revision = value[3];
  if (revision !== revision2 && revision !== revision3) return value;
  const shifted = Buffer.alloc(rootIdOffset + 4);
  value.copy(shifted, 0, 0, rootIdOffset);
  shifted[3] = revision3;
  const root = revision === revision3 ? value.readUInt32LE(rootIdOffset) : 0;
  shifted.writeUInt32LE(shiftId(root, uids), rootIdOffset);
  return shifted;
}

// linux/posix_acl_xattr.h: a header of 4 bytes, then entries of tag, permissions and id.
const aclHeaderBytes = 4;
const aclEntryBytes = 8;
const tagUser = 0x02;
const tagGroup = 0x08;

function shiftAcl(value: Buffer, { uids, gids }: IdMaps): Buffer {
  const shifted = Buffer.from(value);
  for (let at = aclHeaderBytes; at + aclEntryBytes <= value.length; at += aclEntryBytes) {
    const tag = value.readUInt16LE(at);
    if (tag !== tagUser && tag !== tagGroup) continue;
    shifted.writeUInt32LE(shiftId(value.readUInt32LE(at + 4), tag === tagUser ? uids : gids), at + 4);
  }
  return shifted;
}
