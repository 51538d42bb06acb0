import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinuxSandboxSecurityContext, NamespaceMode, PodSandboxConfig } from '../../gen/cri.ts';
import { checkSandbox } from './check-sandbox.ts';

const inGvisor = { name: 'runsc', sandbox: { hostNetwork: false, ociSeccomp: false, hostDevices: false, startWrapper: [] } };
const onHostNetwork = { name: 'runsc', sandbox: { hostNetwork: true, ociSeccomp: false, hostDevices: false, startWrapper: [] } };
const plain = { name: 'crun', sandbox: undefined };

function podWith(options: object): PodSandboxConfig {
  const namespaceOptions = { network: NamespaceMode.POD, pid: NamespaceMode.CONTAINER, ipc: NamespaceMode.POD, targetId: '', usernsOptions: undefined, ...options };
  const securityContext = { ...LinuxSandboxSecurityContext.decode(new Uint8Array()), namespaceOptions };
  const metadata = { name: 'shop', namespace: 'default', uid: 'u1', attempt: 0 };
  return { ...PodSandboxConfig.decode(new Uint8Array()), metadata, linux: { cgroupParent: '', sysctls: {}, securityContext, overhead: undefined, resources: undefined } };
}

test('a pod in a gVisor sandbox has no namespace of the node, and no users mapped', () => {
  const rows: [object, RegExp][] = [
    [{ network: NamespaceMode.NODE }, /^run pod default\/shop: .*namespace_options\.network: handler runsc .*--network=host/],
    [{ pid: NamespaceMode.NODE }, /namespace_options\.pid: .*never see the processes of the node/],
    [{ ipc: NamespaceMode.NODE }, /namespace_options\.ipc: .*IPC objects of their own/],
    [{ usernsOptions: { mode: NamespaceMode.POD, uids: [{ containerId: 0, hostId: 65_536, length: 65_536 }], gids: [{ containerId: 0, hostId: 65_536, length: 65_536 }] } }, /namespace_options\.userns_options: .*leave the user namespace out/],
  ];

  for (const [options, message] of rows) {
    assert.throws(() => checkSandbox(inGvisor, podWith(options)), { kind: 'failed-precondition', message });
    checkSandbox(plain, podWith(options));
  }
});

test('with the flag for it a sandbox has the network of the node', () => {
  checkSandbox(onHostNetwork, podWith({ network: NamespaceMode.NODE }));
});

test('a sysctl is refused that the kernel of a sandbox would never hear of', () => {
  const asking = (key: string): PodSandboxConfig => {
    const config = podWith({});
    return { ...config, linux: { ...config.linux!, sysctls: { [key]: '1' } } };
  };
  const refused = { kind: 'failed-precondition', message: /^run pod default\/shop: config\.linux\.sysctls\[.*\]: handler runsc .*own kernel it cannot be set: leave it out$/ };

  assert.throws(() => checkSandbox(inGvisor, asking('kernel.shm_rmid_forced')), refused);
  assert.throws(() => checkSandbox(inGvisor, asking('net.ipv4.tcp_syncookies')), refused);
  assert.throws(() => checkSandbox(onHostNetwork, asking('kernel.shm_rmid_forced')), refused);
  checkSandbox(onHostNetwork, asking('net.ipv4.tcp_syncookies'));
  checkSandbox(plain, asking('kernel.shm_rmid_forced'));
});
