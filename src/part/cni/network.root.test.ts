import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';

import { silentLogger } from '../../base/log.ts';
import { CLONE_NEWNET, libc } from '../../host/libc.ts';
import { createNamespaces, inNetworkNamespace, primeThreadPool, removeNamespaces } from '../../host/namespaces.ts';
import { bringUp } from '../../host/network-interface.ts';
import { run } from '../../host/spawn.ts';
import type { Attachment, PortMapping } from './attachment.ts';
import { podIps } from './cni-result.ts';
import { createCni } from './network.ts';
import type { Cni } from './network.ts';

const pluginDir = '/usr/lib/cni';

interface Node {
  readonly cni: Cni;
  readonly bridge: string;
  /** The addresses that host-local holds reserved. */
  reserved(): Promise<string[]>;
  /** A pod with a fresh namespace; it goes with the test at the latest. */
  pod(portMappings?: readonly PortMapping[]): Attachment & { pinDirectory: string };
  /** Another client over the same directories, as after a restart. */
  restarted(): Promise<Cni>;
}

interface NodeOptions {
  readonly subnets?: readonly string[];
  readonly cniVersion?: string;
  readonly cniVersions?: readonly string[];
  readonly portmap?: boolean;
  readonly more?: readonly object[];
}

async function nodeOf(t: TestContext, { subnets = ['10.231.7.0/24'], cniVersion = '1.0.0', cniVersions = [], portmap = true, more = [] }: NodeOptions = {}): Promise<Node> {
  const root = await fs.mkdtemp(path.join(os.tmpdir(), 'gantry-cni-'));
  const bridge = `gt${randomBytes(4).toString('hex')}`;
  const dirs = { conf: path.join(root, 'net.d'), cache: path.join(root, 'cache'), ipam: path.join(root, 'ipam'), plugins: path.join(root, 'plugins') };
  for (const directory of [dirs.conf, dirs.plugins]) await fs.mkdir(directory);
  await fs.writeFile(path.join(dirs.plugins, 'refuse'), `#!/bin/sh\n[ $CNI_COMMAND = DEL ] || { echo '{"code":100,"msg":"not today"}'; exit 1; }\n`, { mode: 0o755 });
  await fs.writeFile(path.join(dirs.conf, '10.conflist'), JSON.stringify({
    cniVersion, cniVersions, name: `${bridge}-net`, plugins: [
      {
        type: 'bridge', bridge, isGateway: true, ipMasq: true, hairpinMode: true,
        ipam: { type: 'host-local', dataDir: dirs.ipam, ranges: subnets.map((subnet) => [{ subnet }]), routes: subnets.map((subnet) => ({ dst: subnet.includes(':') ? '::/0' : '0.0.0.0/0' })) },
      },
      ...(portmap ? [{ type: 'portmap', capabilities: { portMappings: true } }] : []),
      ...more,
    ],
  }));
  const open = async (): Promise<Cni> => {
    const cni = await createCni({ confDir: dirs.conf, binDirs: [dirs.plugins, pluginDir], cacheDir: dirs.cache, deadlineMs: 30_000, log: silentLogger });
    clients.push(cni);
    return cni;
  };
  const clients: Cni[] = [];
  let pods = 0;
  t.after(async () => {
    for (const cni of clients) cni.close();
    for (let n = 1; n <= pods; n += 1) removeNamespaces(path.join(root, `pod${n}`));
    await run('/sbin/ip', ['link', 'del', bridge], { deadlineMs: 10_000 });
    await fs.rm(root, { recursive: true });
  });
  return {
    cni: await open(),
    bridge,
    restarted: open,
    async reserved() {
      const names = await fs.readdir(path.join(dirs.ipam, `${bridge}-net`)).catch(() => []);
      return names.filter((name) => net.isIP(name) !== 0).sort();
    },
    pod(portMappings = []) {
      pods += 1;
      const pinDirectory = path.join(root, `pod${pods}`);
      const { net: netnsPath } = createNamespaces({ directory: pinDirectory, net: true, ipc: false, uts: false });
      return { containerId: `${bridge}-${pods}`, ifName: 'eth0', netnsPath: netnsPath!, args: { IgnoreUnknown: '1', K8S_POD_NAME: 'web' }, capabilities: { portMappings }, pinDirectory };
    },
  };
}

/** Output of a program in the network namespace that stands for the host. */
async function output(file: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(file, args, { deadlineMs: 10_000 });
  assert.equal(code, 0, stderr.toString());
  return stdout.toString();
}

/** Says `hello` to who connects to a pod's port; the listener is bound before this returns, so it is the pod's. */
function greeter(t: TestContext, pod: Attachment, port: number): void {
  const server = net.createServer((socket) => socket.end('hello'));
  t.after(() => server.close());
  inNetworkNamespace(pod.netnsPath, () => server.listen({ port }));
}

function greeted(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, timeout: 5_000 });
    let text = '';
    socket.on('data', (chunk) => { text += String(chunk); });
    socket.on('error', reject);
    socket.on('timeout', () => socket.destroy(new Error(`no answer from ${host}:${port}`)));
    socket.on('end', () => resolve(text));
  });
}

async function reason(): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const plugin of ['bridge', 'host-local', 'portmap']) {
    if (await fs.access(path.join(pluginDir, plugin)).then(() => false, () => true)) return `needs the CNI plugin ${plugin} in ${pluginDir}`;
  }
  return false;
}

describe('a pod network of the real plugins', { skip: await reason() }, () => {
  // This process moves into a network namespace of its own, which stands for the host: bridges, routes and iptables rules
  // vanish with it, and nothing of the real host's can be in the way. The thread pool stays behind, which only does files.
  before(async () => {
    await primeThreadPool();
    libc.unshare(CLONE_NEWNET);
    bringUp('lo');
    // Nobody else is on these links, and waiting for duplicate address detection takes seconds.
    writeFileSync('/proc/sys/net/ipv6/conf/default/accept_dad', '0');
  });

  test('a pod is attached, reachable by its address and by a host port, and leaves nothing behind', async (t) => {
    const node = await nodeOf(t);
    const rulesBefore = await output('/usr/sbin/iptables-save', '-t', 'nat');
    assert.doesNotMatch(rulesBefore, new RegExp(node.bridge));
    const pod = node.pod([{ hostPort: 18080, containerPort: 80, protocol: 'tcp' }]);

    const result = await node.cni.add(pod);

    assert.deepEqual(podIps(result, 'eth0'), ['10.231.7.2']);
    assert.equal(result.interfaces.find(({ name }) => name === 'eth0')?.sandbox, pod.netnsPath);
    assert.deepEqual(inNetworkNamespace(pod.netnsPath, () => os.networkInterfaces()['eth0']?.map(({ address }) => address).filter((address) => net.isIPv4(address))), ['10.231.7.2']);
    greeter(t, pod, 80);
    assert.equal(await greeted('10.231.7.2', 80), 'hello');
    assert.equal(await greeted('10.231.7.1', 18080), 'hello');
    assert.deepEqual(await node.reserved(), ['10.231.7.2']);

    await node.cni.del(pod);
    await node.cni.del(pod);

    assert.deepEqual(await node.reserved(), []);
    const rules = await output('/usr/sbin/iptables-save', '-t', 'nat');
    assert.doesNotMatch(rules, new RegExp(`${node.bridge}|10\\.231\\.7\\.2|18080`));
    assert.doesNotMatch(await output('/sbin/ip', '-o', 'link', 'show', 'type', 'veth'), /veth/);
  });

  test('CHECK is content with what ADD made and tells when the interface is gone', async (t) => {
    // Without portmap: CHECK of its version 1.1.1 looks for a pod's IPv4 rules in the IPv6 tables too, and fails always.
    const node = await nodeOf(t, { portmap: false });
    const pod = node.pod();
    await node.cni.add(pod);
    await node.cni.check(pod);

    await output('/usr/bin/nsenter', `--net=${pod.netnsPath}`, 'ip', 'link', 'del', 'eth0');

    await assert.rejects(node.cni.check(pod), /CNI CHECK with plugin bridge on network/);
    await node.cni.del(pod);
    assert.deepEqual(await node.reserved(), []);
  });

  for (const cniVersion of ['0.3.1', '0.4.0', '1.0.0']) {
    test(`two stacks with CNI ${cniVersion}: both addresses, both host ports, both given back`, async (t) => {
      const node = await nodeOf(t, { subnets: ['10.231.8.0/24', 'fd00:231:8::/64'], cniVersion });
      const pod = node.pod([{ hostPort: 18081, containerPort: 80, protocol: 'tcp' }]);

      const result = await node.cni.add(pod);

      assert.deepEqual(podIps(result, 'eth0'), ['10.231.8.2', 'fd00:231:8::2']);
      assert.deepEqual(podIps(result, 'eth0', 'ipv6'), ['fd00:231:8::2', '10.231.8.2']);
      assert.deepEqual(result.ips.map((ip) => Object.keys(ip).sort()), [['address', 'gateway', 'interface'], ['address', 'gateway', 'interface']]);
      greeter(t, pod, 80);
      assert.equal(await greeted('10.231.8.1', 18081), 'hello');
      assert.equal(await greeted('fd00:231:8::2', 80), 'hello');
      await node.cni.del(pod);
      assert.deepEqual(await node.reserved(), []);
    });
  }

  test('a namespace that was deleted before DEL keeps neither the address nor the host port', async (t) => {
    const node = await nodeOf(t, { subnets: ['10.231.9.0/24'] });
    const pod = node.pod([{ hostPort: 18082, containerPort: 80, protocol: 'tcp' }]);
    await node.cni.add(pod);

    removeNamespaces(pod.pinDirectory);
    await (await node.restarted()).del(pod);

    assert.deepEqual(await node.reserved(), []);
    assert.doesNotMatch(await output('/usr/sbin/iptables-save', '-t', 'nat'), /18082/);
  });

  test('a plugin that refuses at the end of the chain gives the address and the rules back', async (t) => {
    const node = await nodeOf(t, { subnets: ['10.231.10.0/24'], more: [{ type: 'refuse' }] });
    const pod = node.pod([{ hostPort: 18083, containerPort: 80, protocol: 'tcp' }]);

    await assert.rejects(node.cni.add(pod), /CNI ADD with plugin refuse on network .*: not today; CNI code 100/);

    assert.deepEqual(await node.reserved(), []);
    assert.doesNotMatch(await output('/usr/sbin/iptables-save', '-t', 'nat'), /18083|10\.231\.10\.2/);
  });

  test('many pods at once get an address each, and GC takes back those of pods that nobody owns', async (t) => {
    const node = await nodeOf(t, { subnets: ['10.231.11.0/24'] });
    const pods = Array.from({ length: 8 }, () => node.pod());

    const results = await Promise.all(pods.map((pod) => node.cni.add(pod)));

    assert.equal(new Set(results.flatMap((result) => podIps(result, 'eth0'))).size, 8);
    await (await node.restarted()).gc(() => pods.slice(0, 2));
    assert.equal((await node.reserved()).length, 2);
    for (const pod of pods.slice(0, 2)) await node.cni.del(pod);
    assert.deepEqual(await node.reserved(), []);
  });

  test('of the versions in a configuration the one that the installed plugins speak is used', async (t) => {
    const node = await nodeOf(t, { subnets: ['10.231.12.0/24'], cniVersion: '0.4.0', cniVersions: ['0.4.0', '1.1.0'] });
    const pod = node.pod();

    const result = await node.cni.add(pod); // Debian's plugins, which speak 1.0.0 at most, refuse to be called with 1.1.0
    const status = await node.cni.status();

    assert.deepEqual(podIps(result, 'eth0'), ['10.231.12.2']);
    assert.equal(status.ready, true, status.message);
    assert.deepEqual(status.network?.versions, ['1.1.0', '0.4.0']);
    await node.cni.del(pod);
  });
});
