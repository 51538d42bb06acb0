import type { SpecStep } from './build-container-spec.ts';
import type { OciDevice, OciDeviceRule } from './oci-spec.ts';
import type { ResolvedDevice } from './resolve-devices.ts';

/**
 * Device nodes and the device cgroup's rules. Nothing is allowed but what is listed (and null, zero, tty and their like, which every OCI runtime
 * adds itself); to a privileged container everything is, and it sees all devices of the host.
 */
export const withDevices: SpecStep = (spec, { config, devices, hostDevices }) => {
  const privileged = config.linux?.securityContext?.privileged ?? false;
  const asked = new Set(devices.map((device) => device.path));
  const nodes = privileged ? [...hostDevices.filter((device) => !asked.has(device.path)), ...devices] : devices;
  return {
    ...spec,
    linux: {
      ...spec.linux,
      devices: nodes.map(nodeOf),
      resources: {
        ...spec.linux.resources,
        devices: privileged ? [{ allow: true, access: 'rwm' }] : [{ allow: false, access: 'rwm' }, ...devices.map(ruleOf)],
      },
    },
  };
};

function nodeOf({ path, type, major, minor, mode, uid, gid }: ResolvedDevice): OciDevice {
  return { type, path, major, minor, fileMode: mode, uid, gid };
}

function ruleOf({ type, major, minor, permissions }: ResolvedDevice): OciDeviceRule {
  return { allow: true, type, major, minor, access: permissions };
}
