import { test } from 'node:test';
import assert from 'node:assert/strict';
import { LinuxPodSandboxConfig, LinuxSandboxSecurityContext, NamespaceMode, NamespaceOption, PodSandboxConfig } from '../../gen/cri.ts';
import { effectiveSysctls } from './effective-sysctls.ts';

const defaults = { sysctls: { 'net.core.somaxconn': '7', 'kernel.shm_rmid_forced': '1' }, unprivilegedPorts: true, unprivilegedIcmp: true };
const ports = { 'net.ipv4.ip_unprivileged_port_start': '0' };
const icmp = { 'net.ipv4.ping_group_range': '0 2147483647' };

function pod(options: Partial<NamespaceOption>, sysctls: Record<string, string> = {}): PodSandboxConfig {
  const of = <T>(message: { decode(bytes: Uint8Array): T }): T => message.decode(new Uint8Array());
  const securityContext = { ...of(LinuxSandboxSecurityContext), namespaceOptions: { ...of(NamespaceOption), ...options } };
  return { ...of(PodSandboxConfig), linux: { ...of(LinuxPodSandboxConfig), sysctls, securityContext } };
}

test('a pod with its own namespaces gets all defaults, and its own word counts', () => {
  assert.deepEqual(effectiveSysctls(pod({}), defaults), { ...ports, ...icmp, ...defaults.sysctls });
  assert.deepEqual(effectiveSysctls(pod({}, { 'net.core.somaxconn': '9', 'net.ipv4.ip_unprivileged_port_start': '80' }), defaults), {
    ...icmp, 'kernel.shm_rmid_forced': '1', 'net.core.somaxconn': '9', 'net.ipv4.ip_unprivileged_port_start': '80',
  });
});

test('no default is written into a namespace of the node', () => {
  assert.deepEqual(effectiveSysctls(pod({ network: NamespaceMode.NODE }), defaults), { 'kernel.shm_rmid_forced': '1' });
  assert.deepEqual(effectiveSysctls(pod({ network: NamespaceMode.NODE, ipc: NamespaceMode.NODE }), defaults), {});
});

test('a configured sysctl wins over what unprivileged users may do, which can be switched off', () => {
  assert.equal(effectiveSysctls(pod({}), { ...defaults, sysctls: { 'net.ipv4.ping_group_range': '1 0' } })['net.ipv4.ping_group_range'], '1 0');
  assert.deepEqual(effectiveSysctls(pod({}), { sysctls: {}, unprivilegedPorts: false, unprivilegedIcmp: false }), {});
});

test('a pod in a user namespace keeps the range of groups that may ping', () => {
  const usernsOptions = { mode: NamespaceMode.POD, uids: [], gids: [] };

  assert.deepEqual(effectiveSysctls(pod({ usernsOptions }), { ...defaults, sysctls: {} }), ports);
});
