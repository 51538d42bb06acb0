import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Capability, ContainerConfig, ImageSpec, LinuxContainerConfig, LinuxContainerResources, LinuxContainerSecurityContext, LinuxPodSandboxConfig, LinuxSandboxSecurityContext, Mount, NamespaceMode, NamespaceOption, PodSandboxConfig, SupplementalGroupsPolicy, UserNamespace } from '../gen/cri.ts';
import { unset } from '../part/spec/example-input.fake.ts';
import { newestApi, oldestApi } from './api/api-version.ts';
import { containerRefusals, podRefusals, refuse } from './refusals.ts';

const security = (fields: Partial<LinuxContainerSecurityContext>): Partial<ContainerConfig> => ({ linux: { ...unset(LinuxContainerConfig), securityContext: { ...unset(LinuxContainerSecurityContext), ...fields } } });
const mount = (fields: Partial<Mount>): Partial<ContainerConfig> => ({ mounts: [{ ...unset(Mount), containerPath: '/data', hostPath: '/srv', ...fields }] });

/** What asks for each row. */
const asking: Readonly<Record<string, Partial<ContainerConfig>>> = {
  'config.linux.security_context.capabilities.add_ambient_capabilities': security({ capabilities: { ...unset(Capability), addAmbientCapabilities: ['KILL'] } }),
  'config.linux.security_context.supplemental_groups_policy Strict': security({ supplementalGroupsPolicy: SupplementalGroupsPolicy.Strict }),
  'config.linux.resources.unified': { linux: { ...unset(LinuxContainerConfig), resources: { ...unset(LinuxContainerResources), unified: { 'memory.high': '1' } } } },
  'config.mounts[].uid_mappings, gid_mappings': mount({ uidMappings: [{ containerId: 0, hostId: 1, length: 1 }] }),
  'config.mounts[].mount_options': mount({ mountOptions: ['noexec'] }),
  'config.mounts[].selinux_relabel with a colon in a path': mount({ selinuxRelabel: true, hostPath: '/a:b' }),
  'config.mounts[].image_sub_path': mount({ hostPath: '', image: unset(ImageSpec), imageSubPath: 'x' }),
  'config.mounts[].image': mount({ hostPath: '', image: unset(ImageSpec) }),
  'config.mounts[].recursive_read_only': mount({ recursiveReadOnly: true, readonly: true }),
  'config.CDI_devices': { CDIDevices: [{ name: 'v.com/c=1' }] },
};

test('what the Engine cannot do is refused by the name of its field, and by an Engine that can it is not', () => {
  assert.deepEqual(Object.keys(asking), containerRefusals.map(({ field }) => field));
  for (const { field, since, why } of containerRefusals) {
    const config = { ...unset(ContainerConfig), ...asking[field] };

    assert.throws(() => refuse(containerRefusals, config, oldestApi), { kind: 'failed-precondition', message: `use ${field}: ${why}; engine = "native" can` });
    if (since === undefined) assert.throws(() => refuse(containerRefusals, config, newestApi), { kind: 'failed-precondition' });
    else refuse(containerRefusals, config, newestApi);
  }
  refuse(containerRefusals, unset(ContainerConfig), oldestApi);
});

test('a pod with users of its own is refused, and one without is not', () => {
  const pod = (mode: NamespaceMode): PodSandboxConfig => ({ ...unset(PodSandboxConfig), linux: { ...unset(LinuxPodSandboxConfig), securityContext: { ...unset(LinuxSandboxSecurityContext), namespaceOptions: { ...unset(NamespaceOption), usernsOptions: { ...unset(UserNamespace), mode } } } } });

  assert.throws(() => refuse(podRefusals, pod(NamespaceMode.POD), newestApi), { kind: 'failed-precondition', message: /^use config\.linux\.security_context\.namespace_options\.userns_options: .*\(userns-remap\), none for each pod; engine = "native" can$/ });
  refuse(podRefusals, pod(NamespaceMode.NODE), oldestApi);
});

test('the kubelet is told of a mount that cannot be recursively read-only in the word that it knows', () => {
  assert.throws(() => refuse(containerRefusals, { ...unset(ContainerConfig), ...asking['config.mounts[].recursive_read_only'] }, '1.43'), { criReason: 'RROUnsupported' });
});

test('docs/docker-engine.md lists exactly what is refused', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/docker-engine.md'), 'utf8');
  const listed = page.split('\n').filter((line) => line.startsWith('| `config.'));

  assert.deepEqual(listed, [...podRefusals, ...containerRefusals].map(({ field, since, why }) => `| \`${field}\` | ${since ?? 'none'} | ${why} |`));
});
