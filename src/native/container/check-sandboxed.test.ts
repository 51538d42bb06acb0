import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Capability, ContainerConfig, LinuxContainerConfig, LinuxContainerSecurityContext, Mount, MountPropagation, SecurityProfile, SecurityProfile_ProfileType } from '../../gen/cri.ts';
import { checkSandboxed } from './check-sandboxed.ts';

const traits = { hostNetwork: false, ociSeccomp: false, hostDevices: false, startWrapper: [] };
const config = (change: Partial<ContainerConfig>): ContainerConfig => ({ ...ContainerConfig.decode(new Uint8Array()), metadata: { name: 'web', attempt: 0 }, ...change });
const secured = (context: Partial<LinuxContainerSecurityContext>): ContainerConfig =>
  config({ linux: { ...LinuxContainerConfig.decode(new Uint8Array()), securityContext: { ...LinuxContainerSecurityContext.decode(new Uint8Array()), ...context } } });
const capabilities = (change: Partial<Capability>): ContainerConfig => secured({ capabilities: { ...Capability.decode(new Uint8Array()), ...change } });
const seccomp = (profileType: SecurityProfile_ProfileType, localhostRef = ''): ContainerConfig => secured({ seccomp: { ...SecurityProfile.decode(new Uint8Array()), profileType, localhostRef } });
const mounted = (propagation: MountPropagation): ContainerConfig => config({ mounts: [{ ...Mount.decode(new Uint8Array()), hostPath: '/srv', containerPath: '/srv', propagation }] });
const device = config({ devices: [{ hostPath: '/dev/fuse', containerPath: '/dev/fuse', permissions: 'rw' }] });
const cdi = config({ CDIDevices: [{ name: 'vendor.com/gpu=0' }] });
const profile = seccomp(SecurityProfile_ProfileType.Localhost, '/etc/profile.json');

test('what gVisor cannot do for a container is refused by its field, with what to do', () => {
  const rows: [ContainerConfig, RegExp][] = [
    [device, /^create container web: config\.devices: handler runsc runs pods in gVisor sandboxes, which have no devices of the node: leave them out, or give the handler the flag/],
    [cdi, /config\.CDI_devices: .*no devices of the node/],
    [profile, /config\.linux\.security_context\.seccomp: .*give the handler the flag --oci-seccomp, or ask for RuntimeDefault$/],
    [mounted(MountPropagation.PROPAGATION_BIDIRECTIONAL), /config\.mounts\.propagation: .*whose mounts never show on the node/],
    [capabilities({ addCapabilities: ['NET_ADMIN', 'perfmon'] }), /add_capabilities: .*which know no CAP_PERFMON, CAP_BPF, CAP_CHECKPOINT_RESTORE/],
    [capabilities({ addAmbientCapabilities: ['CAP_BPF'] }), /add_capabilities: .*which know no/],
  ];

  for (const [asked, message] of rows) {
    assert.throws(() => checkSandboxed({ name: 'runsc', sandbox: traits }, asked), { kind: 'failed-precondition', message });
    checkSandboxed({ name: 'crun', sandbox: undefined }, asked);
  }
});

test('what gVisor can do, or its flags allow, is not refused', () => {
  const rows: [ContainerConfig, Partial<typeof traits>][] = [
    [device, { hostDevices: true }],
    [cdi, { hostDevices: true }],
    [profile, { ociSeccomp: true }],
    [seccomp(SecurityProfile_ProfileType.RuntimeDefault), {}],
    [mounted(MountPropagation.PROPAGATION_HOST_TO_CONTAINER), {}],
    [capabilities({ addCapabilities: ['ALL'], dropCapabilities: ['BPF'] }), {}],
    [secured({ privileged: true }), {}],
  ];

  for (const [asked, change] of rows) checkSandboxed({ name: 'runsc', sandbox: { ...traits, ...change } }, asked);
});
