/** The network of pods: addresses, ports, other pods, and the node's CNI configuration as it comes and goes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { NamespaceMode, PodSandboxState, PortMapping, Protocol } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { onHost } from '../support/on-host.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const { network, paths } = node.daemon;

const leases = (): string[] => readdirSync(path.join(paths.dir, 'ipam', network.name)).filter((name) => /^[0-9a-f]+[.:]/.test(name));
const inSubnet = new RegExp(`^${network.subnet.replace('.0/24', '').replaceAll('.', '\\.')}\\.\\d+$`);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const networkReady = async () => (await node.client.status()).status?.conditions.find(({ type }) => type === 'NetworkReady');

test('a pod reports the address that its interface has', async () => {
  const pod = await node.runPod();

  const id = await node.runContainer(pod);

  const address = await node.addressOf(pod);
  assert.match(address, inSubnet);
  assert.match(await node.sh(id, 'ip -4 addr show eth0'), new RegExp(`inet ${address}/24`));
  assert.match(await node.sh(id, 'ip addr show lo'), /inet 127\.0\.0\.1/);
});

test('pods reach each other, the node, and are reached from it', async () => {
  const [server, client] = [await node.runPod(), await node.runPod()];
  await node.runContainer(server, { script: 'while true; do echo hello | nc -l -p 80; done' });
  const asking = await node.runContainer(client);
  const address = await node.addressOf(server);

  const fromPod = await eventually(() => node.sh(asking, `nc -w 2 ${address} 80 < /dev/null`));
  const fromNode = await eventually(() => onHost('busybox', 'nc', '-w', '2', address, '80'));

  assert.equal(fromPod, 'hello');
  assert.equal(fromNode, 'hello\n');
});

test('containers of one pod share its loopback, other pods do not', async () => {
  const [pod, stranger] = [await node.runPod(), await node.runPod()];
  await node.runContainer(pod, { script: 'echo private > /tmp/page; httpd -f -p 127.0.0.1:80 -h /tmp' });
  const neighbour = await node.runContainer(pod);
  const outside = await node.runContainer(stranger);

  const ask = (id: string, address: string) => node.sh(id, `printf 'GET /page HTTP/1.0\\r\\n\\r\\n' | nc -w 2 ${address} 80 || echo refused`);
  await eventually(async () => assert.match(await ask(neighbour, '127.0.0.1'), /private$/));
  assert.equal(await ask(outside, '127.0.0.1'), 'refused');
  assert.equal(await ask(outside, await node.addressOf(pod)), 'refused');
});

test("a host port leads to the pod from the node's address, from another pod and from loopback", async () => {
  const hostPort = await freePort();
  const pod = await node.runPod({ config: { portMappings: [message(PortMapping, { protocol: Protocol.TCP, containerPort: 80, hostPort })] } });
  await node.runContainer(pod, { script: 'while true; do echo mapped | nc -l -p 80; done' });
  const other = await node.runContainer(await node.runPod());
  const nodeAddress = network.subnet.replace('.0/24', '.1');

  assert.equal(await eventually(() => node.sh(other, `nc -w 2 ${nodeAddress} ${hostPort} < /dev/null`)), 'mapped');
  assert.equal(await eventually(() => onHost('busybox', 'nc', '-w', '2', nodeAddress, String(hostPort))), 'mapped\n');
  assert.equal(await eventually(() => onHost('busybox', 'nc', '-w', '2', '127.0.0.1', String(hostPort))), 'mapped\n');

  await node.removePod(pod);

  assert.notEqual(spawnSync('busybox', ['nc', '-w', '1', nodeAddress, String(hostPort)], { input: '' }).status, 0, 'the port is closed again');
});

test('a stopped pod gives its address back, once however often it is stopped', async () => {
  const before = leases();
  const pod = await node.runPod();
  const address = await node.addressOf(pod);
  assert.deepEqual(leases().filter((name) => !before.includes(name)), [address]);

  await node.client.stopPodSandbox({ podSandboxId: pod.id });
  await node.client.stopPodSandbox({ podSandboxId: pod.id });

  assert.deepEqual(leases(), before);
  const stopped = await node.client.podSandboxStatus({ podSandboxId: pod.id });
  assert.equal(stopped.status?.state, PodSandboxState.SANDBOX_NOTREADY);
  assert.equal(stopped.status?.network?.ip, '');
});

test("a pod in the node's network takes no address, whatever its ports", async () => {
  const before = leases();

  await node.runPod({ namespaces: { network: NamespaceMode.NODE }, config: { portMappings: [message(PortMapping, { protocol: Protocol.TCP, containerPort: 80, hostPort: 80 })] } });

  assert.deepEqual(leases(), before);
});

test('ports out of range are refused', async () => {
  const mapped = (fields: Partial<PortMapping>) => node.client.runPodSandbox({ config: node.podConfig({ config: { portMappings: [message(PortMapping, fields)] } }) });

  await assertFails(mapped({ containerPort: 80, hostPort: 65_536 }), status.INVALID_ARGUMENT, /host_port: 65536 is not a port/);
  await assertFails(mapped({ containerPort: 0, hostPort: 80 }), status.INVALID_ARGUMENT, /container_port: 0 is not a port/);
});

test('a removed configuration makes the network not ready; a pod says so; a new one is noticed, also when its folder is new', async () => {
  renameSync(paths.cniConfDir, `${paths.cniConfDir}.away`);
  const gone = await eventually(async () => {
    const condition = await networkReady();
    assert.equal(condition?.status, false);
    return condition;
  });
  assert.equal(gone.reason, 'NetworkPluginNotReady');
  assert.match(gone.message, /there is no valid network configuration in/);
  await assertFails(node.runPod(), status.UNAVAILABLE, /run pod default\/pod-\d+: .*there is no valid network configuration in/);
  const hostPod = await node.runPod({ namespaces: { network: NamespaceMode.NODE } });
  assert.notEqual(hostPod.id, '', "the node's network needs no configuration");

  mkdirSync(paths.cniConfDir);
  writeFileSync(path.join(paths.cniConfDir, '10-test.conflist'), JSON.stringify(network.conflist));

  await eventually(async () => assert.equal((await networkReady())?.status, true));
  assert.match(await node.addressOf(await node.runPod()), inSubnet);
  rmSync(`${paths.cniConfDir}.away`, { recursive: true });
});

test('pods of an earlier configuration are detached with it, after it was replaced', async () => {
  const pod = await node.runPod();
  const address = await node.addressOf(pod);
  const list = network.conflist as { plugins: object[] };
  const second = { type: 'ptp', ipam: { type: 'host-local', ranges: [[{ subnet: '198.51.100.0/28' }]], dataDir: path.join(paths.dir, 'ipam') } };
  writeFileSync(path.join(paths.cniConfDir, '10-test.conflist'), JSON.stringify({ ...list, name: `${network.name}-b`, plugins: [second] }));
  const later = await eventually(async () => {
    const candidate = await node.runPod();
    assert.match(await node.addressOf(candidate), /^198\.51\.100\./);
    return candidate;
  });

  await node.client.stopPodSandbox({ podSandboxId: pod.id });
  await node.client.stopPodSandbox({ podSandboxId: later.id });

  assert.ok(!leases().includes(address));
  writeFileSync(path.join(paths.cniConfDir, '10-test.conflist'), JSON.stringify(network.conflist));
});

test('a network of both address families gives a pod one address of each', async () => {
  const list = network.conflist as { plugins: { type: string; ipam?: { ranges: object[][]; routes: object[] } }[] };
  const plugins = list.plugins.map((plugin) => (plugin.ipam === undefined ? plugin : { ...plugin, ipam: { ...plugin.ipam, ranges: [...plugin.ipam.ranges, [{ subnet: 'fd7b:1::/112' }]] } }));
  writeFileSync(path.join(paths.cniConfDir, '10-test.conflist'), JSON.stringify({ ...list, plugins }));

  const pod = await eventually(async () => {
    const candidate = await node.runPod();
    const { status: of } = await node.client.podSandboxStatus({ podSandboxId: candidate.id });
    assert.equal(of?.network?.additionalIps.length, 1);
    return candidate;
  });

  const { status: of } = await node.client.podSandboxStatus({ podSandboxId: pod.id });
  assert.match(of?.network?.ip ?? '', inSubnet);
  assert.match(of?.network?.additionalIps[0]?.ip ?? '', /^fd7b:1::/);
  writeFileSync(path.join(paths.cniConfDir, '10-test.conflist'), JSON.stringify(network.conflist));
});

test('of all these pods nothing is left once they are removed', () => assertRemovalLeavesNothing(node.daemon));
