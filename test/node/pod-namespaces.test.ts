/** Which namespaces a pod and its containers share, proved from inside. */
import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import os from 'node:os';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { DNSConfig, LinuxPodSandboxConfig, LinuxSandboxSecurityContext, NamespaceMode, NamespaceOption, PodSandboxState } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());

const namespace = (id: string, kind: string): Promise<string> => node.sh(id, `readlink /proc/self/ns/${kind}`);
const hostNamespace = (kind: string): string => readlinkSync(`/proc/self/ns/${kind}`);

test('containers with a PID namespace each see themselves as process 1 and nobody else', async () => {
  const pod = await node.runPod();

  const first = await node.runContainer(pod, { command: ['sleep', '10001'] });
  const second = await node.runContainer(pod, { command: ['sleep', '10002'] });

  assert.equal(await node.sh(first, "tr '\\0' ' ' < /proc/1/cmdline"), 'sleep 10001');
  assert.equal(await node.sh(second, "tr '\\0' ' ' < /proc/1/cmdline"), 'sleep 10002');
  assert.doesNotMatch(await node.sh(first, 'cat /proc/[0-9]*/cmdline'), /10002/);
});

test('containers of a pod that shares its PID namespace see each other, and process 1 is the pause program', async () => {
  const pod = await node.runPod({ namespaces: { pid: NamespaceMode.POD } });

  const first = await node.runContainer(pod, { command: ['sleep', '10001'] });
  const second = await node.runContainer(pod, { command: ['sleep', '10002'] });

  assert.match(await node.sh(first, 'cat /proc/[0-9]*/cmdline'), /10002/);
  assert.match(await node.sh(second, 'cat /proc/1/cmdline'), /^\/pause/);
  assert.equal(await namespace(first, 'pid'), await namespace(second, 'pid'));
});

test('a pod whose pause process was killed is not ready any more, and a new one of the same name can be run', async () => {
  const pod = await node.runPod({ namespaces: { pid: NamespaceMode.POD } });
  const { info } = await node.client.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
  const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };

  process.kill(pid, 'SIGKILL');

  await eventually(async () => {
    const { status: now } = await node.client.podSandboxStatus({ podSandboxId: pod.id });
    assert.equal(now?.state, PodSandboxState.SANDBOX_NOTREADY);
  });
  await assertFails(node.createContainer(pod), status.FAILED_PRECONDITION, /the pod is not ready/);
  const { podSandboxId: other } = await node.client.runPodSandbox({ config: pod.config });
  assert.notEqual(other, pod.id);
});

test("a container of a pod in the node's PID namespace sees the node's processes", async () => {
  const pod = await node.runPod({ namespaces: { pid: NamespaceMode.NODE } });

  const id = await node.runContainer(pod);

  assert.equal(await namespace(id, 'pid'), hostNamespace('pid'));
  assert.equal(await node.sh(id, `cat /proc/${process.pid}/comm`), readFileSync('/proc/self/comm', 'utf8').trim());
});

test('a debug container with a target joins the PID namespace of that container alone', async () => {
  const pod = await node.runPod();
  const target = await node.runContainer(pod, { command: ['sleep', '10001'] });
  const other = await node.runContainer(pod, { command: ['sleep', '10002'] });

  const debug = await node.runContainer(pod, { security: { namespaceOptions: message(NamespaceOption, { pid: NamespaceMode.TARGET, targetId: target }) } });

  assert.equal(await namespace(debug, 'pid'), await namespace(target, 'pid'));
  assert.notEqual(await namespace(debug, 'pid'), await namespace(other, 'pid'));
  assert.equal(await node.sh(debug, "tr '\\0' ' ' < /proc/1/cmdline"), 'sleep 10001');
});

test('a target that does not run, or belongs to another pod, is refused', async () => {
  const pod = await node.runPod();
  const created = await node.createContainer(pod);
  const foreignPod = await node.runPod();
  const foreign = await node.runContainer(foreignPod);
  const targeting = (targetId: string) => ({ security: { namespaceOptions: message(NamespaceOption, { pid: NamespaceMode.TARGET, targetId }) } });

  await assertFails(node.createContainer(pod, targeting(created)), status.FAILED_PRECONDITION, /it is not running/);
  await assertFails(node.createContainer(pod, targeting(foreign)), status.INVALID_ARGUMENT, /belongs to another pod/);
  await assertFails(node.createContainer(pod, targeting('0'.repeat(64))), status.NOT_FOUND, /no such target container/);
});

test('containers of a pod share its IPC namespace and /dev/shm, and nobody else does', async () => {
  const pod = await node.runPod();
  const stranger = await node.runPod();
  const first = await node.runContainer(pod);
  const second = await node.runContainer(pod);
  const third = await node.runContainer(stranger);

  await node.sh(first, 'echo hello > /dev/shm/greeting');

  assert.equal(await node.sh(second, 'cat /dev/shm/greeting'), 'hello');
  assert.equal(await namespace(first, 'ipc'), await namespace(second, 'ipc'));
  assert.equal(await node.sh(third, 'ls /dev/shm'), '');
  assert.notEqual(await namespace(third, 'ipc'), await namespace(first, 'ipc'));
  assert.notEqual(await namespace(first, 'ipc'), hostNamespace('ipc'));
});

test("a pod in the node's IPC namespace has the node's /dev/shm", async () => {
  const pod = await node.runPod({ namespaces: { ipc: NamespaceMode.NODE } });
  const id = await node.runContainer(pod);
  const name = `${node.daemon.network.name}-shm`;

  await node.sh(id, `echo hello > /dev/shm/${name}`);

  assert.equal(readFileSync(`/dev/shm/${name}`, 'utf8'), 'hello\n');
  assert.equal(await namespace(id, 'ipc'), hostNamespace('ipc'));
  await node.sh(id, `rm /dev/shm/${name}`);
});

test('sysctls of the pod hold inside and not on the node', async () => {
  const before = readFileSync('/proc/sys/kernel/shm_rmid_forced', 'utf8');
  const sysctls = { 'kernel.shm_rmid_forced': '1', 'net.ipv4.ip_local_port_range': '1024 2048', 'net.ipv4.conf.eth0.forwarding': '1' };
  const pod = await node.runPod({ config: { linux: linuxWith({ sysctls }) } });

  const id = await node.runContainer(pod);

  assert.equal(await node.sh(id, 'cat /proc/sys/kernel/shm_rmid_forced'), '1');
  assert.equal(await node.sh(id, 'cat /proc/sys/net/ipv4/ip_local_port_range'), '1024\t2048');
  assert.equal(await node.sh(id, 'cat /proc/sys/net/ipv4/conf/eth0/forwarding'), '1');
  assert.equal(readFileSync('/proc/sys/kernel/shm_rmid_forced', 'utf8'), before);
});

test('a sysctl that would change the node is refused', async () => {
  const running = node.client.runPodSandbox({ config: node.podConfig({ config: { linux: linuxWith({ sysctls: { 'kernel.core_pattern': 'x' } }) } }) });

  await assertFails(running, status.INVALID_ARGUMENT, /kernel\.core_pattern.*would change the whole node/);
});

test("the pod's host name and DNS settings are what its containers read", async () => {
  const dnsConfig = message(DNSConfig, { servers: ['10.96.0.10', 'fd00::a'], searches: ['default.svc.example', 'example'], options: ['ndots:5'] });
  const pod = await node.runPod({ config: { hostname: 'web-0.web', dnsConfig } });

  const id = await node.runContainer(pod);

  assert.equal(await node.sh(id, 'hostname'), 'web-0.web');
  assert.equal(await node.sh(id, 'cat /etc/hostname'), 'web-0.web');
  assert.equal(await node.sh(id, 'cat /etc/resolv.conf'), 'search default.svc.example example\nnameserver 10.96.0.10\nnameserver fd00::a\noptions ndots:5');
});

test("without DNS settings the pod has the node's resolv.conf", async () => {
  const pod = await node.runPod();

  const id = await node.runContainer(pod);

  assert.equal(await node.sh(id, 'cat /etc/resolv.conf'), readFileSync('/etc/resolv.conf', 'utf8').trimEnd());
});

test("a pod in the node's network has the node's host name and no address of its own", async () => {
  const pod = await node.runPod({ namespaces: { network: NamespaceMode.NODE }, config: { hostname: 'ignored' } });

  const id = await node.runContainer(pod);

  assert.equal(await namespace(id, 'net'), hostNamespace('net'));
  assert.equal(await namespace(id, 'uts'), hostNamespace('uts'));
  assert.equal(await node.sh(id, 'hostname'), os.hostname());
  assert.equal(await node.addressOf(pod), '');
});

test('namespaces that no pod can have are refused', async () => {
  const refused = (namespaces: Partial<NamespaceOption>) => node.client.runPodSandbox({ config: node.podConfig({ namespaces }) });

  await assertFails(refused({ network: NamespaceMode.CONTAINER }), status.INVALID_ARGUMENT, /namespace_options\.network: a pod's can only be POD or NODE/);
  await assertFails(refused({ ipc: NamespaceMode.TARGET }), status.INVALID_ARGUMENT, /namespace_options\.ipc: a pod's can only be POD or NODE/);
  await assertFails(refused({ pid: NamespaceMode.TARGET }), status.INVALID_ARGUMENT, /namespace_options\.pid: a pod's can only be POD or CONTAINER or NODE/);
});

test('of all these pods nothing is left once they are removed', () => assertRemovalLeavesNothing(node.daemon));

function linuxWith(fields: Partial<LinuxPodSandboxConfig>): LinuxPodSandboxConfig {
  const securityContext = message(LinuxSandboxSecurityContext, { namespaceOptions: message(NamespaceOption, { pid: NamespaceMode.CONTAINER }) });
  return message(LinuxPodSandboxConfig, { securityContext, cgroupParent: node.daemon.podCgroup('sysctls'), ...fields });
}
