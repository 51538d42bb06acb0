/**
 * What the CRI asks and the Docker Engine cannot do, each with where it is asked and why it cannot be: refused before anything is made, rather than
 * left out. docs/docker-engine.md has the same rows, which a test compares.
 */
import { failure } from '../base/errors.ts';
import { NamespaceMode, SupplementalGroupsPolicy } from '../gen/cri.ts';
import type { ContainerConfig, PodSandboxConfig } from '../gen/cri.ts';
import { isAtLeast } from './api/api-version.ts';
import type { ApiVersion } from './api/api-version.ts';

export interface Refusal<T> {
  /** The field, as the CRI's proto spells it. */
  readonly field: string;
  readonly asked: (config: T) => boolean;
  readonly why: string;
  /** The API version from which on the Engine can; undefined: none can. */
  readonly since?: ApiVersion;
  /** A crierrors name for the kubelet. */
  readonly criReason?: string;
}

export const podRefusals: readonly Refusal<PodSandboxConfig>[] = [
  {
    field: 'config.linux.security_context.namespace_options.userns_options',
    asked: ({ linux }) => linux?.securityContext?.namespaceOptions?.usernsOptions?.mode === NamespaceMode.POD,
    why: 'the Engine has one range of users for all its containers (userns-remap), none for each pod',
  },
];

export const containerRefusals: readonly Refusal<ContainerConfig>[] = [
  {
    field: 'config.linux.security_context.capabilities.add_ambient_capabilities',
    asked: ({ linux }) => (linux?.securityContext?.capabilities?.addAmbientCapabilities.length ?? 0) > 0,
    why: 'the Engine sets no ambient capabilities',
  },
  {
    field: 'config.linux.security_context.supplemental_groups_policy Strict',
    asked: ({ linux }) => linux?.securityContext?.supplementalGroupsPolicy === SupplementalGroupsPolicy.Strict,
    why: "the Engine always adds the groups that the image's /etc/group names",
  },
  {
    field: 'config.linux.resources.unified',
    asked: ({ linux }) => Object.keys(linux?.resources?.unified ?? {}).length > 0,
    why: 'the Engine passes no keys of cgroup v2 on',
  },
  {
    field: 'config.mounts[].uid_mappings, gid_mappings',
    asked: ({ mounts }) => mounts.some(({ uidMappings, gidMappings }) => uidMappings.length + gidMappings.length > 0),
    why: 'the Engine makes no idmapped mounts',
  },
  {
    field: 'config.mounts[].mount_options',
    asked: ({ mounts }) => mounts.some(({ mountOptions }) => mountOptions.length > 0),
    why: 'the Engine gives bind mounts no noexec, nodev or nosuid',
  },
  {
    field: 'config.mounts[].selinux_relabel with a colon in a path',
    asked: ({ mounts }) => mounts.some(({ selinuxRelabel, hostPath, containerPath }) => selinuxRelabel && `${hostPath}${containerPath}`.includes(':')),
    why: 'the Engine relabels only what is written as source:target:options',
  },
  {
    field: 'config.mounts[].image_sub_path',
    asked: ({ mounts }) => mounts.some(({ image, imageSubPath }) => image !== undefined && imageSubPath !== ''),
    why: 'the Engine of this version mounts whole images only',
    since: '1.49',
  },
  {
    field: 'config.mounts[].image',
    asked: ({ mounts }) => mounts.some(({ image }) => image !== undefined),
    why: 'the Engine of this version mounts no images: Docker 28 does',
    since: '1.48',
  },
  {
    field: 'config.mounts[].recursive_read_only',
    asked: ({ mounts }) => mounts.some(({ recursiveReadOnly }) => recursiveReadOnly),
    why: 'the Engine of this version makes no recursive read-only mounts: Docker 25 does',
    since: '1.44',
    criReason: 'RROUnsupported',
  },
  {
    field: 'config.CDI_devices',
    asked: ({ CDIDevices, annotations }) => CDIDevices.length > 0 || Object.keys(annotations).some((name) => name.startsWith('cdi.k8s.io/')),
    why: 'the Engine of this version knows no CDI: Docker 25 does, with features.cdi in its daemon.json',
    since: '1.44',
  },
];

/** Throws failed-precondition for the first row that this config asks and an Engine of this version has not. */
export function refuse<T>(rows: readonly Refusal<T>[], config: T, version: ApiVersion): void {
  const row = rows.find(({ asked, since }) => asked(config) && (since === undefined || !isAtLeast(version, since)));
  if (row === undefined) return;
  throw failure('failed-precondition', { act: 'use', object: row.field, why: `${row.why}; engine = "native" can`, ...(row.criReason === undefined ? {} : { criReason: row.criReason }) });
}
