import type { SpecStep } from './build-container-spec.ts';
import type { OciDevice, OciDeviceRule } from './oci-spec.ts';
import type { ResolvedDevice } from './resolve-devices.ts';
import type { SpecInput } from './spec-input.ts';
import { podMappings } from './with-user-namespace.ts';

/**
 * Device nodes and the device cgroup's rules. Nothing is allowed but what is listed (and null, zero, tty and their like, which every OCI runtime
 * adds itself); to a privileged container everything is, and it sees all devices of the host, unless its handler keeps them away. Of two
 * nodes on one path the later counts. In a pod with a user namespace a privileged container may use of the host's devices what anybody on the
 * host may: a runtime such as crun gives root of the pod nodes of its own, so that only the device cgroup keeps the host's disks from it.
 */
export const withDevices: SpecStep = (spec, input) => {
  const { config, devices, hostDevices, handler } = input;
  const privileged = config.linux?.securityContext?.privileged ?? false;
  const owner = ownerOf(input);
  const open = privileged && handler.privilegedDevices !== 'none';
  const everything = open && podMappings(input) === undefined;
  const nodes = [...(privileged && handler.privilegedDevices === 'all' ? hostDevices : []), ...devices.map((device) => ({ ...device, ...owner }))];
  return {
    ...spec,
    linux: {
      ...spec.linux,
      devices: lastOfEachPath(nodes).map(nodeOf),
      resources: {
        ...spec.linux.resources,
        devices: everything ? [{ allow: true, access: 'rwm' }] : [{ allow: false, access: 'rwm' }, ...(open ? hostDevices.flatMap(forAnybody) : []), ...devices.map(ruleOf)],
      },
    },
  };
};

/** The user and group that the CRI names, for the devices that the container asks for; none where the node's settings leave them as they are. */
function ownerOf({ config, identity, defaults }: SpecInput): { uid?: number; gid?: number } {
  const security = config.linux?.securityContext;
  if (!defaults.devicesToUser || security === undefined) return {};
  return {
    ...(security.runAsUser === undefined && security.runAsUsername === '' ? {} : { uid: identity.uid }),
    ...(security.runAsGroup === undefined ? {} : { gid: identity.gid }),
  };
}

function lastOfEachPath(nodes: readonly ResolvedDevice[]): ResolvedDevice[] {
  const byPath = new Map<string, ResolvedDevice>();
  for (const node of nodes) {
    byPath.delete(node.path); // the later one stands where it was named
    byPath.set(node.path, node);
  }
  return [...byPath.values()];
}

function nodeOf({ path, type, major, minor, mode, uid, gid }: ResolvedDevice): OciDevice {
  return { type, path, major, minor, fileMode: mode, uid, gid };
}

/** The device with what its mode lets others do on the host; nothing where that is nothing. */
function forAnybody(device: ResolvedDevice): OciDeviceRule[] {
  const permissions = `${(device.mode & 0o4) === 0 ? '' : 'r'}${(device.mode & 0o2) === 0 ? '' : 'w'}`;
  return permissions === '' ? [] : [ruleOf({ ...device, permissions })];
}

function ruleOf({ type, major, minor, permissions }: ResolvedDevice): OciDeviceRule {
  return { allow: true, type, major, minor, access: permissions };
}
