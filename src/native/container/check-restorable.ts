import { isDeepStrictEqual } from 'node:util';
import { join } from 'node:path';
import { failure } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';
import type { ContainerConfig } from '../../gen/cri.ts';
import { archiveNames } from '../../part/checkpoint/archive-names.ts';
import { checkImages } from '../../part/checkpoint/check-images.ts';
import type { OciMount, OciSpec } from '../../part/spec/oci-spec.ts';
import type { OpenedCheckpoint } from './open-checkpoint.ts';

/**
 * Holds a checkpoint against the container that was asked for: CRIU can add no mount, take none away and change no process, so that both have to have the
 * same. `asDescribed`: the request describes the very process, as that of RestorePod does; otherwise command and environment of the request are of no
 * account. failed-precondition, naming what differs.
 */
export async function checkRestorable(spec: OciSpec, { folder, spec: captured }: OpenedCheckpoint, { config, asDescribed }: { config: ContainerConfig; asDescribed: boolean }): Promise<void> {
  const mounts = new Map(spec.mounts.filter(isBind).map((mount) => [mount.destination, { readonly: mount.options.includes('ro') }]));
  const missing = captured.bindMounts.filter((path) => !mounts.has(path));
  if (missing.length > 0) throw differs(`it was captured with mounts on ${missing.join(', ')}, and the request has none there`);
  const added = [...mounts.keys()].filter((path) => !captured.bindMounts.includes(path));
  if (added.length > 0) throw differs(`the request mounts ${added.join(', ')}, which it was captured without`);
  if (captured.terminal !== spec.process.terminal) throw differs(`it was captured ${captured.terminal ? 'with' : 'without'} a terminal (tty), and the request says otherwise`);
  const { uid, gid } = spec.process.user;
  if (captured.uid !== uid || captured.gid !== gid) throw differs(`it ran as user ${captured.uid}:${captured.gid}, and is to run as ${uid}:${gid}`);
  if (asDescribed) checkProcess(spec, captured, config);
  await checkImages(join(folder, archiveNames.images), {
    capabilities: spec.process.capabilities.bounding,
    noNewPrivileges: spec.process.noNewPrivileges,
    seccomp: spec.linux.seccomp !== undefined,
    bindMounts: mounts,
    maskedPaths: spec.linux.maskedPaths,
  });
}

function checkProcess(spec: OciSpec, captured: OpenedCheckpoint['spec'], config: ContainerConfig): void {
  if (!isDeepStrictEqual(spec.process.args, captured.args)) throw differs(`its command is ${JSON.stringify(captured.args)}, and the request describes ${JSON.stringify(spec.process.args)}`);
  if (spec.process.cwd !== captured.cwd) throw differs(`its working directory was ${captured.cwd} at its start, and the request describes ${spec.process.cwd}`);
  // Named without its value, which may be a secret.
  const other = config.envs.find(({ key, value }) => !captured.env.includes(`${key}=${value}`));
  if (other !== undefined) throw differs(`its environment variable ${other.key} is not as the request describes it`);
}

function isBind({ type, options }: OciMount): boolean {
  return type === 'bind' || options.includes('bind') || options.includes('rbind');
}

function differs(why: string): GantryError {
  return failure('failed-precondition', { act: 'restore container', why });
}
