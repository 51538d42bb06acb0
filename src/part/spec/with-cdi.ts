import type { SpecStep } from './build-container-spec.ts';
import type { ContainerEdits, EditedDevice, EditedMount } from '../../base/container-edits.ts';
import type { OciDevice, OciDeviceRule, OciMount, OciSpec } from './oci-spec.ts';
import type { Identity } from './resolve-user.ts';
import { parentsFirst } from './with-container-mounts.ts';
import { withHooks } from './with-hooks.ts';
import type { IdMappings } from './id-mappings.ts';
import { ociMapping, podMappings } from './with-user-namespace.ts';

/**
 * The edits of CDI devices, in their order. They are the node's own word on what a device needs, so they win: over a variable of the same name, a
 * device node or a mount on the same path.
 */
export const withCdi: SpecStep = (spec, input) => {
  const maps = podMappings(input);
  return input.cdi.reduce((edited, edits) => withEdits(edited, edits, { identity: input.identity, maps }), spec);
};

function withEdits(spec: OciSpec, edits: ContainerEdits, { identity, maps }: { identity: Identity; maps: IdMappings | undefined }): OciSpec {
  const { user } = spec.process;
  const edited: OciSpec = {
    ...spec,
    process: {
      ...spec.process,
      env: edits.env.reduce(withVariable, spec.process.env),
      user: { ...user, additionalGids: [...new Set([...user.additionalGids, ...edits.additionalGids])] },
    },
    mounts: withMounts(spec.mounts, edits.mounts.map((mount) => mountOf(mount, maps))),
    linux: {
      ...spec.linux,
      devices: [...spec.linux.devices.filter((device) => !edits.devices.some(({ path }) => path === device.path)), ...edits.devices.map((device) => nodeOf(device, identity))],
      resources: { ...spec.linux.resources, devices: [...spec.linux.resources.devices, ...edits.devices.flatMap(ruleOf)] },
      ...intelRdtOf(edits),
    },
  };
  return withHooks(edited, edits.hooks);
}

/** Sets a variable where it stood, or at the end. */
function withVariable(env: readonly string[], entry: string): readonly string[] {
  const name = entry.slice(0, entry.indexOf('=') + 1);
  return env.some((other) => other.startsWith(name)) ? env.map((other) => (other.startsWith(name) ? entry : other)) : [...env, entry];
}

function withMounts(mounts: readonly OciMount[], added: readonly OciMount[]): readonly OciMount[] {
  if (added.length === 0) return mounts;
  return parentsFirst([...mounts.filter((mount) => !added.some(({ destination }) => destination === mount.destination)), ...added]);
}

function mountOf({ hostPath, containerPath, type, options, mapped }: EditedMount, maps: IdMappings | undefined): OciMount {
  const bound = type !== '' || options.includes('bind') || options.includes('rbind');
  return { destination: containerPath, type: type === '' ? 'bind' : type, source: hostPath, options: bound ? [...options] : ['rbind', ...options], ...(mapped === true && maps !== undefined ? { uidMappings: [ociMapping(maps.uids)], gidMappings: [ociMapping(maps.gids)] } : {}) };
}

function nodeOf({ path, type, major, minor, mode, uid, gid }: EditedDevice, identity: Identity): OciDevice {
  return { type, path, ...(type === 'p' ? {} : { major, minor }), ...(mode === undefined ? {} : { fileMode: mode }), uid: uid ?? identity.uid, gid: gid ?? identity.gid };
}

// A FIFO is no device to the cgroup.
function ruleOf({ type, major, minor, permissions }: EditedDevice): OciDeviceRule[] {
  return type === 'p' || permissions === '' ? [] : [{ allow: true, type, major, minor, access: permissions }];
}

function intelRdtOf({ intelRdt }: ContainerEdits): Pick<OciSpec['linux'], 'intelRdt'> {
  if (intelRdt === undefined) return {};
  return { intelRdt: Object.fromEntries(Object.entries(intelRdt).filter(([, value]) => value !== '')) };
}
