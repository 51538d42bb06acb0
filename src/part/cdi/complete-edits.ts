import type { ContainerEdits, EditedDevice } from '../../base/container-edits.ts';
import { failure, isKind } from '../../base/errors.ts';
import { pathThreads } from '../../host/path-resolver.ts';
import type { NodeAt } from '../../host/path-worker.ts';
import type { CdiDeviceNode, CdiEdits } from './cdi-spec.ts';

/** Whose edits they are, for messages: the device (or the whole file) and the file. */
export interface EditsOrigin {
  readonly device: string;
  readonly file: string;
}

/**
 * Completes edits with what the host's device nodes say. Errors: failed-precondition for a node that is not there or is another than the file says,
 * and for what an OCI runtime of specification 1.0.2 cannot do (network devices, newer settings of resctrl); deadline-exceeded.
 */
export async function completeEdits(edits: CdiEdits, origin: EditsOrigin): Promise<ContainerEdits> {
  if (edits.netDevices.length > 0) throw refused(origin, `it moves the network interface ${edits.netDevices[0]} into the container, which needs an OCI runtime of specification 1.3`);
  const { intelRdt } = edits;
  if (intelRdt !== undefined && intelRdt.newer.length > 0) throw refused(origin, `it sets intelRdt.${intelRdt.newer[0]}, which needs a newer OCI runtime than one of specification 1.0.2`);
  return {
    env: edits.env,
    devices: await Promise.all(edits.deviceNodes.map((node) => completeNode(node, origin))),
    mounts: edits.mounts,
    hooks: edits.hooks,
    additionalGids: edits.additionalGids,
    intelRdt: intelRdt === undefined ? undefined : { closID: intelRdt.closID, l3CacheSchema: intelRdt.l3CacheSchema, memBwSchema: intelRdt.memBwSchema },
  };
}

// A file may describe a node fully; the host's need not be there then, and gives its mode if it is.
async function completeNode(node: CdiDeviceNode, origin: EditsOrigin): Promise<EditedDevice> {
  const { path, major, minor, fileMode, uid, gid, permissions } = node;
  const complete = node.type === 'p' || (node.type !== undefined && major !== 0);
  const host = await hostNode(node.hostPath);
  if (complete) return { path, type: node.type!, major, minor, mode: fileMode ?? (typeof host === 'string' ? undefined : host.mode), uid, gid, permissions };
  if (typeof host === 'string') throw refused(origin, `its device node ${node.hostPath} cannot be used: ${host}`);
  if (node.type !== undefined && node.type !== host.type) throw refused(origin, `its device node ${node.hostPath} is of type ${host.type} on this node, and the file says ${node.type}`);
  return { path, type: host.type, ...(major === 0 ? { major: host.major, minor: host.minor } : { major, minor }), mode: fileMode ?? host.mode, uid, gid, permissions };
}

/** The node, or why there is none. Symlinks are not followed: the file names the device itself. */
async function hostNode(path: string): Promise<NodeAt | string> {
  try {
    return await pathThreads.nodeAt(path) ?? 'it is no device';
  } catch (error) {
    if (isKind(error, 'not-found')) return 'there is no such file on this node';
    if (isKind(error, 'failed-precondition')) return error.why ?? error.message;
    throw error;
  }
}

function refused({ device, file }: EditsOrigin, why: string): Error {
  return failure('failed-precondition', { act: 'inject CDI device', object: device, why: `${why} (${file})` });
}
