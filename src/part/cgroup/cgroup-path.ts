/** Where a container's or pod's cgroup lies, for both cgroup drivers of the kubelet. */
import { posix } from 'node:path';
import { failure } from '../../base/errors.ts';

export type CgroupDriver = 'cgroupfs' | 'systemd';

export interface CgroupPlace {
  /** linux.cgroupsPath of the OCI runtime spec: `/kubepods/podX/ID`, or `kubepods-podX.slice:gantry:ID` with systemd. */
  readonly cgroupsPath: string;
  /** The path in every hierarchy, beginning with a slash: where the runtime will have made the cgroup. */
  readonly path: string;
}

/** Names the scopes that systemd makes for us: `gantry-ID.scope`. */
const scopePrefix = 'gantry';
const defaultParents: Readonly<Record<CgroupDriver, string>> = { cgroupfs: '/gantry', systemd: 'system.slice' };

export interface CgroupPathRequest {
  readonly driver: CgroupDriver;
  /** CRI cgroup_parent: a path; with systemd also a slice, alone or at the end of the path of its slices. Empty: a parent of our own. */
  readonly parent: string;
  /** The container's or pod's id. */
  readonly id: string;
}

/** A parent that leaves the hierarchy, or is no slice for systemd, is invalid-argument. */
export function cgroupPathFor({ driver, parent, id }: CgroupPathRequest): CgroupPlace {
  const parentPath = cgroupParentPath(driver, parent);
  if (driver === 'cgroupfs') {
    const path = posix.join(parentPath, id);
    return { cgroupsPath: path, path };
  }
  return { cgroupsPath: `${posix.basename(parentPath)}:${scopePrefix}:${id}`, path: posix.join(parentPath, `${scopePrefix}-${id}.scope`) };
}

/** The path of the CRI cgroup_parent itself in every hierarchy: the pod's cgroup, which the kubelet made. */
export function cgroupParentPath(driver: CgroupDriver, parent: string): string {
  const wanted = parent === '' ? defaultParents[driver] : parent;
  // eslint-disable-next-line no-control-regex
  if (/[\x00-\x1f:]/.test(wanted) || wanted.split('/').includes('..')) throw badParent(parent, 'a cgroup path without colons, control characters and ".."');
  if (driver === 'cgroupfs') return absolute(wanted, parent);
  return expandSlice(wanted.endsWith('.slice') ? posix.basename(wanted) : sliceOf(absolute(wanted, parent)), parent);
}

function absolute(path: string, parent: string): string {
  const normal = posix.resolve('/', path);
  if (normal === '/') throw badParent(parent, 'a cgroup below the root');
  return normal;
}

/** The path in every hierarchy of a `cgroupsPath` as cgroupPathFor makes them; a plain path is its own. */
export function pathOfCgroupsPath(cgroupsPath: string): string {
  const [slice, prefix, id] = cgroupsPath.split(':');
  if (prefix === undefined || id === undefined) return cgroupsPath;
  return posix.join(expandSlice(slice!, slice!), `${prefix}-${id}.scope`);
}

/**
 * The slice for a plain path, as the kubelet names it: /kubepods/burstable/pod1-2 is kubepods-burstable-pod1_2.slice. A dash divides
 * slices, so one within a name becomes an underscore.
 */
function sliceOf(path: string): string {
  return `${path.slice(1).replaceAll('-', '_').replaceAll('/', '-')}.slice`;
}

/** systemd.slice(5): `a-b.slice` lies in `a.slice`, so the name tells the whole path: /a.slice/a-b.slice. */
function expandSlice(slice: string, parent: string): string {
  const stem = /^([\w.\\-]+)\.slice$/.exec(slice)?.[1];
  const parts = stem?.split('-') ?? [];
  if (stem === undefined || parts.includes('')) throw badParent(parent, 'the name of a systemd slice such as kubepods-besteffort.slice, as the cgroup driver is systemd');
  return parts.map((_, n) => `/${parts.slice(0, n + 1).join('-')}.slice`).join('');
}

function badParent(parent: string, want: string): Error {
  return failure('invalid-argument', { act: 'use cgroup parent', object: JSON.stringify(parent.slice(0, 200)), why: `want ${want}` });
}
