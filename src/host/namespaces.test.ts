import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';

import { GantryError, isKind } from '../base/errors.ts';
import { createNamespaces, isNamespace, splitSysctls, sysctlPath, validateSysctls } from './namespaces.ts';

const own = { hostNetwork: false, hostIpc: false };

for (const name of [
  'net.ipv4.ip_unprivileged_port_start', 'net.ipv4.conf.eth0.arp_notify', 'net.core.somaxconn', 'kernel.shmmax', 'kernel.shm_rmid_forced',
  'kernel.msgmnb', 'kernel.sem', 'fs.mqueue.msg_max', 'kernel.domainname', 'net.ipv4.conf.eth0/100.rp_filter',
]) {
  test(`a pod may set ${name}`, () => {
    assert.doesNotThrow(() => validateSysctls({ [name]: '1024 4096,8192' }, own));
  });
}

for (const [name, why] of [
  ['kernel.core_pattern', /belongs to no namespace/],
  ['kernel.hostname', /belongs to no namespace/],
  ['kernel.shm_next_id', /belongs to no namespace/],
  ['vm.overcommit_memory', /belongs to no namespace/],
  ['fs.mqueuefoo.bar', /belongs to no namespace/],
  ['net', /with dots/],
  ['net.', /with dots/],
  ['net..ipv4', /with dots/],
  ['.net.ipv4', /with dots/],
  ['net/ipv4/ip_forward', /with dots/],
  ['net.ipv4/../../kernel/core_pattern', /with dots/],
  ['net.ipv4//kernel.core_pattern', /with dots/],
  ['net.ipv4.x/', /with dots/],
  ['net.ipv4.ip_forward=1+kernel.core_pattern', /with dots/],
  ['net.ipv4.ip_forward\n', /with dots/],
] as const) {
  test(`sysctl ${JSON.stringify(name)} is refused by name`, () => {
    assert.throws(() => validateSysctls({ [name]: '1' }, own), (error) => isKind(error, 'invalid-argument') && (error as Error).message.includes(JSON.stringify(name)) && why.test((error as Error).message));
  });
}

test('a slash in a name stands for a dot of an interface', () => {
  assert.equal(sysctlPath('net.ipv4.conf.eth0/100.rp_filter'), '/proc/sys/net/ipv4/conf/eth0.100/rp_filter');
  assert.deepEqual(Object.keys(splitSysctls({ 'net.ipv4.conf.eth0/100.rp_filter': '1' }).afterCni), ['net.ipv4.conf.eth0/100.rp_filter']);
});

for (const value of ['1+kernel.core_pattern=|/x', '1\nkernel.core_pattern', '', 'a/b', '$(id)', '1'.repeat(1001)]) {
  test(`CVE-2022-0811: the sysctl value ${JSON.stringify(value.slice(0, 30))} is refused`, () => {
    assert.throws(() => validateSysctls({ 'kernel.shm_rmid_forced': value }, own), /set sysctl "kernel.shm_rmid_forced": the value/);
  });
}

test("sysctls of a namespace that is the host's are refused", () => {
  const hostNetwork = { hostNetwork: true, hostIpc: false };
  const hostIpc = { hostNetwork: false, hostIpc: true };

  assert.throws(() => validateSysctls({ 'net.core.somaxconn': '1' }, hostNetwork), /host's net namespace/);
  assert.throws(() => validateSysctls({ 'kernel.domainname': 'x' }, hostNetwork), /host's uts namespace/);
  assert.throws(() => validateSysctls({ 'kernel.sem': '1' }, hostIpc), /host's ipc namespace/);
  assert.throws(() => validateSysctls({ 'fs.mqueue.msg_max': '1' }, hostIpc), /host's ipc namespace/);
  assert.doesNotThrow(() => validateSysctls({ 'kernel.sem': '1' }, hostNetwork));
  assert.doesNotThrow(() => validateSysctls({ 'net.core.somaxconn': '1' }, hostIpc));
});

test('sysctls of interfaces that CNI makes are set apart', () => {
  const parted = splitSysctls({
    'net.ipv4.conf.eth0.arp_notify': '1', 'net.ipv6.neigh.net1.mcast_solicit': '4', 'net.ipv4.conf.all.rp_filter': '0', 'net.ipv6.conf.lo.disable_ipv6': '0', 'net.core.somaxconn': '512', 'kernel.shmmax': '1',
  });

  assert.deepEqual(Object.keys(parted.afterCni), ['net.ipv4.conf.eth0.arp_notify', 'net.ipv6.neigh.net1.mcast_solicit']);
  assert.deepEqual(Object.keys(parted.now), ['net.ipv4.conf.all.rp_filter', 'net.ipv6.conf.lo.disable_ipv6', 'net.core.somaxconn', 'kernel.shmmax']);
});

test('no namespace is made before the thread pool was primed, and no pin remains of the attempt', async (t) => {
  const directory = path.join(await fs.mkdtemp(path.join(os.tmpdir(), 'gantry-ns-')), 'ns');
  t.after(() => fs.rm(path.dirname(directory), { recursive: true }));

  assert.throws(() => createNamespaces({ directory, net: true, ipc: true, uts: true }), (error) => error instanceof GantryError && /primeThreadPool\(\) has not been awaited/.test(error.message));

  await assert.rejects(fs.stat(directory), { code: 'ENOENT' });
});

test('a plain file, a missing one and a namespace are told apart', async () => {
  assert.equal(await isNamespace('/proc/self/ns/net'), true);
  assert.equal(await isNamespace('/etc/passwd'), false);
  assert.equal(await isNamespace('/nothing/here'), false);
});
