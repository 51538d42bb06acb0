import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinuxPodSandboxConfig, LinuxSandboxSecurityContext, PodSandboxConfig, SELinuxOption } from '../../gen/cri.ts';
import { McsLevels } from '../../part/lsm/mcs-levels.ts';
import type { PodSelinux } from './pod-deps.ts';
import { podFileLabel, selinuxLevel } from './selinux-level.ts';

const contexts = { process: 'system_u:system_r:container_t:s0', file: 'system_u:object_r:container_file_t:s0', layer: 'system_u:object_r:container_ro_file_t:s0' };
const selinux = (): PodSelinux => ({ contexts, levels: new McsLevels({ categories: 1024, inUse: () => [], random: () => 0 }) });

function pod(options?: Partial<SELinuxOption>): { id: string; config: PodSandboxConfig } {
  const unset = <T>(message: { decode(bytes: Uint8Array): T }): T => message.decode(new Uint8Array());
  const selinuxOptions = options === undefined ? undefined : { ...unset(SELinuxOption), ...options };
  const securityContext = { ...unset(LinuxSandboxSecurityContext), selinuxOptions };
  return { id: 'p', config: { ...unset(PodSandboxConfig), linux: { ...unset(LinuxPodSandboxConfig), securityContext } } };
}

test('a pod has the level that it names, else one of its own, and none without SELinux', () => {
  assert.equal(selinuxLevel(selinux(), pod({ level: 's0:c5,c6' })), 's0:c5,c6');
  assert.equal(selinuxLevel(selinux(), pod({ type: 'spc_t' })), 's0:c0,c1');
  assert.equal(selinuxLevel(selinux(), pod()), 's0:c0,c1');
  assert.equal(selinuxLevel(undefined, pod({ level: 's0:c5,c6' })), undefined);
});

test("what a pod's containers share has the policy's label for their files, at the pod's level", () => {
  assert.equal(podFileLabel(selinux(), 's0:c5,c6'), 'system_u:object_r:container_file_t:s0:c5,c6');
  assert.equal(podFileLabel(undefined, 's0:c5,c6'), undefined);
  assert.equal(podFileLabel(selinux(), undefined), undefined);
});
