import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { isKind } from '../../base/errors.ts';
import { silentLogger } from '../../base/log.ts';
import { Stages } from '../../base/stages.ts';
import type { Attachment } from './attachment.ts';
import { cniError, fakeNode } from './fake-plugins.fake.ts';
import type { FakeNode } from './fake-plugins.fake.ts';
import { createCni } from './network.ts';
import type { Cni } from './network.ts';

const chainOfThree = { cniVersion: '1.0.0', name: 'podnet', plugins: [{ type: 'bridge', mtu: 1400 }, { type: 'portmap', capabilities: { portMappings: true } }, { type: 'tuning' }] };

function pod(node: FakeNode, id = 'pod1'): Attachment {
  return {
    containerId: id, ifName: 'eth0', netnsPath: node.netnsPath,
    args: { IgnoreUnknown: '1', K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: 'web' },
    capabilities: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }], bandwidth: { ingressRate: 1000 } },
  };
}

async function cniOf(t: TestContext, node: FakeNode, deadlineMs = 5_000): Promise<Cni> {
  const cni = await createCni({ confDir: node.confDir, binDirs: [node.binDir], cacheDir: node.cacheDir, deadlineMs, log: silentLogger });
  t.after(() => cni.close());
  return cni;
}

/** The same at 1.1 with addresses of host-local, whose leases are these. */
async function leasedChain(t: TestContext, leases: Readonly<Record<string, string>> = {}): Promise<{ cniVersion: string; name: string; plugins: object[] }> {
  const dataDir = await fs.mkdtemp(path.join(tmpdir(), 'gantry-leases-'));
  t.after(() => fs.rm(dataDir, { recursive: true }));
  await fs.mkdir(path.join(dataDir, 'podnet'));
  for (const [address, text] of Object.entries(leases)) await fs.writeFile(path.join(dataDir, 'podnet', address), text);
  const [bridge, ...others] = chainOfThree.plugins;
  return { ...chainOfThree, cniVersion: '1.1.0', plugins: [{ ...bridge, ipam: { type: 'host-local', dataDir } }, ...others] };
}

/** A node with the three plugins of the chain. */
async function nodeWithChain(t: TestContext, conf: object = chainOfThree): Promise<FakeNode> {
  const node = await fakeNode(t);
  await node.conf('10-podnet.conflist', conf);
  for (const type of ['bridge', 'portmap', 'tuning']) await node.plugin(type);
  return node;
}

test('ADD runs the plugins in order, each with the result of the one before, and DEL in reverse with the last', async (t) => {
  const node = await nodeWithChain(t);
  const cni = await cniOf(t, node);

  const result = await cni.add(pod(node));
  await cni.del(pod(node));

  assert.deepEqual(result.ips, [{ address: '10.9.0.2/24', gateway: '10.9.0.1', interface: 1 }]);
  const calls = await node.calls();
  assert.deepEqual(calls.map(({ verb, type }) => `${verb} ${type}`), ['ADD bridge', 'ADD portmap', 'ADD tuning', 'DEL tuning', 'DEL portmap', 'DEL bridge']);
  const [bridge, portmap] = calls;
  assert.deepEqual(bridge!.request, { type: 'bridge', mtu: 1400, name: 'podnet', cniVersion: '1.0.0' });
  assert.deepEqual(bridge!.env, { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'pod1', CNI_IFNAME: 'eth0', CNI_NETNS: node.netnsPath, CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web', CNI_PATH: node.binDir });
  const { prevResult, ...rest } = portmap!.request;
  assert.deepEqual(rest, { type: 'portmap', name: 'podnet', cniVersion: '1.0.0', runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] } });
  assert.equal((prevResult as { ips: { address: string }[] }).ips[0]!.address, '10.9.0.2/24');
  for (const del of calls.slice(3)) assert.deepEqual(del.request['prevResult'], prevResult);
  assert.deepEqual(await fs.readdir(node.cacheDir), []);
});

test('before 0.4.0 DEL has no prevResult and CHECK does not exist', async (t) => {
  const node = await nodeWithChain(t, { ...chainOfThree, cniVersion: '0.3.1' });
  const cni = await cniOf(t, node);

  await cni.add(pod(node));
  await cni.check(pod(node));
  await cni.del(pod(node));

  const calls = await node.calls();
  assert.deepEqual(calls.filter(({ verb }) => verb === 'CHECK'), []);
  assert.equal((calls[1]!.request['prevResult'] as { ips: { version: string }[] }).ips[0]!.version, '4');
  for (const del of calls.filter(({ verb }) => verb === 'DEL')) assert.equal('prevResult' in del.request, false);
});

for (const [failing, expected] of [
  ['bridge', ['ADD bridge']],
  ['portmap', ['ADD bridge', 'ADD portmap']],
  ['tuning', ['ADD bridge', 'ADD portmap', 'ADD tuning']],
] as const) {
  test(`when ${failing} fails, the whole list is undone and the failure is the one told`, async (t) => {
    const node = await nodeWithChain(t);
    await node.plugin(failing, { ADD: cniError(11, 'try later') });
    const cni = await cniOf(t, node);

    await assert.rejects(cni.add(pod(node)), (error) => isKind(error, 'unavailable') && new RegExp(`CNI ADD with plugin ${failing} on network podnet: try later`).test((error as Error).message));

    assert.deepEqual(await node.newCalls(), [...expected, 'DEL tuning', 'DEL portmap', 'DEL bridge']);
    assert.deepEqual(await fs.readdir(node.cacheDir), []);
  });
}

test('when undoing fails too, the first failure is told and the attachment is remembered for later', async (t) => {
  const node = await nodeWithChain(t);
  await node.plugin('portmap', { ADD: cniError(100, 'first'), DEL: `[ $CALL -gt 1 ] || ${cniError(100, 'second')}` });
  const cni = await cniOf(t, node);

  await assert.rejects(cni.add(pod(node)), /first/);
  assert.deepEqual(await fs.readdir(node.cacheDir), ['pod1:eth0.json']);
  await node.newCalls();
  await cni.del(pod(node));

  assert.deepEqual(await node.newCalls(), ['DEL tuning', 'DEL portmap', 'DEL bridge']);
  assert.deepEqual(await fs.readdir(node.cacheDir), []);
});

for (const [what, text, why] of [
  ['garbage', 'echo segfault', /its answer is not JSON: "segfault"/],
  ['nothing', ':', /it succeeded but answered nothing/],
  ['an address that is none', `echo '{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.300/24"}]}'`, /"10\.0\.0\.300\/24" is no CIDR address/],
] as const) {
  test(`a plugin that answers ${what} has its ADD undone`, async (t) => {
    const node = await nodeWithChain(t, { ...chainOfThree, plugins: [{ type: 'bridge' }] });
    await node.plugin('bridge', { ADD: text });
    const cni = await cniOf(t, node);

    await assert.rejects(cni.add(pod(node)), why);

    assert.deepEqual(await node.newCalls(), ['ADD bridge', 'DEL bridge']);
  });
}

test('a plugin that hangs in ADD is killed at the deadline and undone', async (t) => {
  const node = await nodeWithChain(t);
  await node.plugin('portmap', { ADD: 'sleep 1000' });
  const cni = await cniOf(t, node, 700);

  await assert.rejects(cni.add(pod(node)), (error) => isKind(error, 'deadline-exceeded'));

  assert.deepEqual(await node.newCalls(), ['ADD bridge', 'ADD portmap', 'DEL tuning', 'DEL portmap', 'DEL bridge']);
});

test('an aborted ADD finishes the plugin it is in and is then undone', async (t) => {
  const node = await nodeWithChain(t);
  const controller = new AbortController();
  await node.plugin('portmap', { ADD: `sleep 0.5; echo '{"cniVersion":"1.0.0"}'` });
  const cni = await cniOf(t, node);

  const adding = cni.add(pod(node), { signal: controller.signal });
  while (!(await node.calls()).some(({ type }) => type === 'bridge')) await sleep(10);
  controller.abort();

  await assert.rejects(adding, (error) => isKind(error, 'cancelled'));
  const calls = await node.newCalls();
  assert.ok(!calls.includes('ADD tuning'), calls.join());
  assert.deepEqual(calls.slice(-3), ['DEL tuning', 'DEL portmap', 'DEL bridge']);
});

test('an ADD that was aborted before it began runs no ADD', async (t) => {
  const node = await nodeWithChain(t);
  const cni = await cniOf(t, node);

  await assert.rejects(cni.add(pod(node), { signal: AbortSignal.abort() }), (error) => isKind(error, 'cancelled'));

  assert.ok(!(await node.newCalls()).some((call) => call.startsWith('ADD')));
});

test('a second ADD of what is attached is already-exists and disturbs nothing', async (t) => {
  const node = await nodeWithChain(t);
  const cni = await cniOf(t, node);
  await cni.add(pod(node));
  await node.newCalls();

  await assert.rejects(cni.add(pod(node)), (error) => isKind(error, 'already-exists') && /eth0 is attached to podnet already/.test((error as Error).message));

  assert.deepEqual(await node.newCalls(), []);
  await cni.check(pod(node));
});

test('a daemon that was killed during ADD is cleaned up after: DEL uses what ADD used', async (t) => {
  const node = await nodeWithChain(t);
  const first = await cniOf(t, node);
  await first.add(pod(node));
  await fs.rm(path.join(node.cacheDir, 'pod1:eth0.result.json')); // as if killed before the last plugin ended
  await node.conf('10-podnet.conflist', { ...chainOfThree, name: 'other', plugins: [{ type: 'tuning' }] });
  const second = await cniOf(t, node);
  await node.newCalls();

  await second.add(pod(node));

  assert.deepEqual(await node.newCalls(), ['DEL tuning', 'DEL portmap', 'DEL bridge', 'ADD tuning']);
});

test('DEL uses the configuration, version, arguments and result of ADD after all have changed', async (t) => {
  const node = await nodeWithChain(t);
  await (await cniOf(t, node)).add(pod(node));
  await fs.rm(path.join(node.confDir, '10-podnet.conflist'));
  await node.conf('00-new.conflist', { cniVersion: '1.1.0', name: 'new', plugins: [{ type: 'tuning' }] });
  const later = await cniOf(t, node);

  await later.del({ ...pod(node), args: {}, capabilities: {} });

  const del = (await node.calls()).at(-1)!;
  assert.equal(del.type, 'bridge');
  assert.equal(del.request['name'], 'podnet');
  assert.equal(del.request['cniVersion'], '1.0.0');
  assert.match(del.env['CNI_ARGS']!, /K8S_POD_NAME=web/);
  assert.ok('prevResult' in del.request);
});

test('after a reboot, when the namespace is gone, DEL leaves CNI_NETNS out', async (t) => {
  const node = await nodeWithChain(t);
  const gone = { ...pod(node), netnsPath: path.join(node.binDir, 'gone') };
  const cni = await cniOf(t, node);
  await cni.add(gone);

  await cni.del(gone);

  const [add, del] = [(await node.calls())[0]!, (await node.calls()).at(-1)!];
  assert.equal(add.env['CNI_NETNS'], gone.netnsPath);
  assert.equal('CNI_NETNS' in del.env, false);
});

test('a power cut that tore the cache files leaves a DEL that still works', async (t) => {
  const node = await nodeWithChain(t);
  const cni = await cniOf(t, node);
  await cni.add(pod(node, 'torn-result'));
  await cni.add(pod(node, 'torn-both'));
  await fs.writeFile(path.join(node.cacheDir, 'torn-result:eth0.result.json'), '{"cniVer');
  await fs.writeFile(path.join(node.cacheDir, 'torn-both:eth0.result.json'), '');
  await fs.writeFile(path.join(node.cacheDir, 'torn-both:eth0.json'), '');
  await node.newCalls();

  await cni.del(pod(node, 'torn-result'));
  await cni.del(pod(node, 'torn-both'));

  assert.deepEqual(await node.newCalls(), ['DEL tuning', 'DEL portmap', 'DEL bridge', 'DEL tuning', 'DEL portmap', 'DEL bridge']);
});

test('DEL of an unknown attachment is success, whatever the plugins say and also without a network', async (t) => {
  const node = await nodeWithChain(t);
  await node.plugin('tuning', { DEL: cniError(100, 'never heard of it') });
  const cni = await cniOf(t, node);

  await cni.del(pod(node, 'stranger'));
  await fs.rm(node.confDir, { recursive: true });
  await cni.reload();
  await cni.del(pod(node, 'stranger'));
});

test('a DEL that fails stops there, is told, and can be repeated', async (t) => {
  const node = await nodeWithChain(t);
  await node.plugin('portmap', { DEL: `[ $CALL -gt 1 ] || ${cniError(100, 'busy')}` });
  const cni = await cniOf(t, node);
  await cni.add(pod(node));
  await node.newCalls();

  await assert.rejects(cni.del(pod(node)), /CNI DEL with plugin portmap on network podnet: busy/);
  assert.deepEqual(await node.newCalls(), ['DEL tuning', 'DEL portmap']);
  await cni.del(pod(node));
  assert.deepEqual(await node.newCalls(), ['DEL tuning', 'DEL portmap', 'DEL bridge']);
});

test('a plugin that does not know the container on DEL has nothing left to do', async (t) => {
  const node = await nodeWithChain(t);
  await node.plugin('portmap', { DEL: cniError(3, 'unknown container') });
  const cni = await cniOf(t, node);
  await cni.add(pod(node));

  await cni.del(pod(node));

  assert.deepEqual(await fs.readdir(node.cacheDir), []);
});

test('CHECK runs in order with the result of ADD, and tells what a plugin finds', async (t) => {
  const node = await nodeWithChain(t);
  await node.plugin('portmap', { CHECK: cniError(100, 'rule is missing') });
  const cni = await cniOf(t, node);
  await assert.rejects(cni.check(pod(node)), (error) => isKind(error, 'not-found') && /eth0 is not attached/.test((error as Error).message));
  await cni.add(pod(node));
  await node.newCalls();

  await assert.rejects(cni.check(pod(node)), /CNI CHECK with plugin portmap on network podnet: rule is missing/);

  assert.deepEqual(await node.newCalls(), ['CHECK bridge', 'CHECK portmap']);
  assert.ok('prevResult' in (await node.calls()).at(-1)!.request);
});

test('a list that disables CHECK is not checked', async (t) => {
  const node = await nodeWithChain(t, { ...chainOfThree, disableCheck: true });
  const cni = await cniOf(t, node);
  await cni.add(pod(node));
  await node.newCalls();

  await cni.check(pod(node));

  assert.deepEqual(await node.newCalls(), []);
});

test('calls about one pod come one after the other, pods do not wait for each other', async (t) => {
  const node = await nodeWithChain(t, { ...chainOfThree, plugins: [{ type: 'bridge' }] });
  await node.plugin('bridge', { DEL: '[ "$CNI_CONTAINERID" != slow ] || sleep 0.6' });
  const cni = await cniOf(t, node);
  await cni.add(pod(node, 'slow'));
  const order: string[] = [];

  await Promise.all([
    cni.del(pod(node, 'slow')).then(() => order.push('slow deleted')),
    cni.add(pod(node, 'slow')).then(() => order.push('slow added')),
    cni.add(pod(node, 'quick')).then(() => order.push('quick added')),
  ]);

  assert.deepEqual(order, ['quick added', 'slow deleted', 'slow added']);
});

test('each plugin is a stage of the call', async (t) => {
  const node = await nodeWithChain(t);
  const stages = new Stages();
  const cni = await cniOf(t, node);

  await cni.add(pod(node), { stages });
  await cni.del(pod(node), { stages });

  assert.deepEqual(stages.done.map(({ name }) => name), ['cni add bridge', 'cni add portmap', 'cni add tuning', 'cni del tuning', 'cni del portmap', 'cni del bridge']);
});

test('without a configuration the node is not ready, says why, and ADD is unavailable', async (t) => {
  const node = await fakeNode(t);
  await node.conf('10.conflist', '{');
  const cni = await cniOf(t, node);

  const status = await cni.status();

  assert.equal(status.ready, false);
  assert.match(status.message, new RegExp(`there is no valid network configuration in ${node.confDir}; ${node.confDir}/10\\.conflist: .*is not JSON`));
  await assert.rejects(cni.add(pod(node)), (error) => isKind(error, 'unavailable') && /no valid network configuration/.test((error as Error).message));
});

test('a configuration that arrives makes the node ready at once, also for an ADD, and one that is replaced is followed', async (t) => {
  const node = await fakeNode(t);
  await fs.rm(path.dirname(node.confDir), { recursive: true });
  const cni = await cniOf(t, node);
  assert.equal((await cni.status()).ready, false);
  for (const type of ['bridge', 'portmap', 'tuning']) await node.plugin(type);

  await node.conf('10.conflist', chainOfThree);
  await cni.add(pod(node));

  assert.equal((await cni.status()).network?.name, 'podnet');
  await node.conf('10.conflist', { ...chainOfThree, name: 'renamed' });
  for (const end = Date.now() + 10_000; (await cni.status()).network?.name !== 'renamed' && Date.now() < end;) await sleep(20);
  assert.equal((await cni.status()).network?.name, 'renamed');
});

test('a plugin that is not installed makes the node not ready', async (t) => {
  const node = await nodeWithChain(t);
  await fs.rm(path.join(node.binDir, 'portmap'));
  const cni = await cniOf(t, node);

  const status = await cni.status();

  assert.equal(status.ready, false);
  assert.match(status.message, /there is no executable portmap in/);
});

test('STATUS is asked from version 1.1 on, and what a plugin says is told', async (t) => {
  const node = await nodeWithChain(t);
  const old = await cniOf(t, node);
  assert.equal((await old.status()).ready, true);
  assert.deepEqual(await node.newCalls(), []);

  await node.conf('10-podnet.conflist', { ...chainOfThree, cniVersion: '1.1.0' });
  await node.plugin('tuning', { STATUS: cniError(50, 'no addresses left') });
  const cni = await cniOf(t, node);
  const [status, same] = await Promise.all([cni.status(), cni.status()]);

  assert.equal(status.ready, false);
  assert.match(status.message, /CNI STATUS with plugin tuning on network podnet: no addresses left; CNI code 50/);
  assert.equal(same, status);
  assert.deepEqual(await node.newCalls(), ['STATUS bridge', 'STATUS portmap', 'STATUS tuning']);
});

test('a plugin that does not know STATUS counts as ready', async (t) => {
  const node = await nodeWithChain(t, { ...chainOfThree, cniVersion: '1.1.0' });
  await node.plugin('portmap', { STATUS: cniError(4, 'unknown CNI_COMMAND: STATUS') });
  const cni = await cniOf(t, node);

  assert.equal((await cni.status()).ready, true);
  assert.deepEqual(await node.newCalls(), ['STATUS bridge', 'STATUS portmap', 'STATUS tuning']);
});

test('of several versions the highest that all plugins speak is used; a plugin that comes later is asked again', async (t) => {
  const node = await nodeWithChain(t, { ...chainOfThree, cniVersion: '0.4.0', cniVersions: ['0.4.0', '1.0.0', '1.1.0'] });
  await node.plugin('portmap', { VERSION: `echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}'` });
  await fs.rm(path.join(node.binDir, 'tuning'));
  const cni = await cniOf(t, node);
  assert.equal((await cni.status()).ready, false);
  await node.plugin('tuning', { VERSION: `echo '{"cniVersion":"0.4.0","supportedVersions":["0.4.0"]}'` });

  await cni.add(pod(node, 'a'));
  await node.newCalls();
  await cni.add(pod(node, 'b'));

  assert.deepEqual(await node.newCalls(), ['ADD bridge', 'ADD portmap', 'ADD tuning'], 'once all have answered they are not asked again');
  assert.equal((await node.calls()).at(-1)!.request['cniVersion'], '0.4.0');
});

test('GC detaches what is not valid, then hands the plugins the valid attachments of their network, and those of its other users', async (t) => {
  const node = await nodeWithChain(t, await leasedChain(t));
  const cni = await cniOf(t, node);
  await cni.add(pod(node, 'stale'));
  await cni.add(pod(node, 'live'));
  await node.conf('10-podnet.conflist', { ...chainOfThree, cniVersion: '1.1.0', name: 'elsewhere' });
  await cni.reload();
  await cni.add(pod(node, 'other'));
  await node.conf('10-podnet.conflist', await leasedChain(t, { '10.9.0.9': 'theirs\r\neth0', '10.9.0.2': 'live\neth0', '10.9.0.7': 'old' }));
  await cni.reload();
  await node.newCalls();

  await cni.gc(() => [{ containerId: 'live', ifName: 'eth0' }, { containerId: 'other', ifName: 'eth0' }, { containerId: 'uncached', ifName: 'eth0' }]);

  assert.deepEqual(await node.newCalls(), ['DEL tuning', 'DEL portmap', 'DEL bridge', 'GC bridge', 'GC portmap', 'GC tuning']);
  const gc = (await node.calls()).at(-1)!;
  assert.deepEqual(gc.request['cni.dev/valid-attachments'], [{ containerID: 'live', ifname: 'eth0' }, { containerID: 'uncached', ifname: 'eth0' }, { containerID: 'old', ifname: 'eth0' }, { containerID: 'theirs', ifname: 'eth0' }]);
  assert.deepEqual(gc.env, { CNI_COMMAND: 'GC', CNI_PATH: node.binDir });
});

test('GC goes on after failures and tells all of them', async (t) => {
  const node = await nodeWithChain(t, await leasedChain(t));
  await node.plugin('bridge', { GC: cniError(100, 'one') });
  await node.plugin('portmap', { GC: cniError(4, 'no GC here') });
  await node.plugin('tuning', { GC: cniError(100, 'two') });
  const cni = await cniOf(t, node);

  await assert.rejects(cni.gc(() => []), /plugin bridge on network podnet: one.*plugin tuning on network podnet: two/);
});

test('before 1.1, where the list disables it, and where nobody can tell who else is attached, GC only detaches what is not valid', async (t) => {
  const leased = await leasedChain(t);
  for (const conf of [{ ...leased, cniVersion: '1.0.0' }, { ...leased, disableGC: true }, { ...chainOfThree, cniVersion: '1.1.0' }]) {
    const node = await nodeWithChain(t, conf);
    const cni = await cniOf(t, node);
    await cni.add(pod(node));
    await node.newCalls();

    await cni.gc(() => []);

    assert.deepEqual(await node.newCalls(), ['DEL tuning', 'DEL portmap', 'DEL bridge']);
  }
});

test('GC and ADD are never at work together', async (t) => {
  const node = await nodeWithChain(t, { ...chainOfThree, cniVersion: '1.1.0', plugins: [{ type: 'bridge', ipam: { type: 'host-local', dataDir: '/nonexistent' } }] });
  const mark = path.join(node.binDir, 'gc-running');
  await node.plugin('bridge', { GC: `touch ${mark}; sleep 0.4; rm ${mark}`, DEL: `[ ! -e ${mark} ] || ${cniError(100, 'together')}` });
  const cni = await cniOf(t, node);
  await cni.add(pod(node));

  const valid = [{ containerId: 'pod1', ifName: 'eth0' }];
  await Promise.all([cni.gc(() => valid), sleep(150).then(() => cni.del(pod(node)))]);

  const calls = await node.newCalls();
  assert.deepEqual(calls, ['ADD bridge', 'GC bridge', 'DEL bridge']);
});

test('keys and arguments that the specification forbids are refused before anything happens', async (t) => {
  const node = await nodeWithChain(t);
  const cni = await cniOf(t, node);

  await assert.rejects(cni.add({ ...pod(node), containerId: '../x' }), (error) => isKind(error, 'invalid-argument'));
  await assert.rejects(cni.add({ ...pod(node), args: { K8S_POD_NAME: 'a;b=c' } }), (error) => isKind(error, 'invalid-argument'));

  assert.deepEqual(await node.newCalls(), []);
  assert.deepEqual(await fs.readdir(node.cacheDir), []);
});

test('an attachment of another directory has the network that is there, and keeps it when the directory is emptied', async (t) => {
  const node = await nodeWithChain(t);
  const confDir = path.join(path.dirname(node.confDir), 'other.d');
  await fs.mkdir(confDir);
  const file = path.join(confDir, '10-other.conflist');
  const cni = await cniOf(t, node);
  const [mine, other] = [pod(node), { ...pod(node, 'pod2'), confDir }];
  await assert.rejects(cni.add(other), { kind: 'unavailable', message: `add to network pod2: there is no valid network configuration in ${confDir}` });
  assert.deepEqual([(await cni.status()).ready, (await cni.status(confDir)).ready], [true, false]);

  await fs.writeFile(file, JSON.stringify({ cniVersion: '1.0.0', name: 'other', plugins: [{ type: 'tuning' }] }));
  await cni.add(mine);
  await cni.add(other);
  assert.equal((await cni.status(confDir)).network?.name, 'other');
  await fs.rm(file);
  await cni.del(other);

  assert.deepEqual(await node.newCalls(), ['ADD bridge', 'ADD portmap', 'ADD tuning', 'ADD tuning', 'DEL tuning']);
  assert.deepEqual((await node.calls()).slice(3).map(({ request }) => request['name']), ['other', 'other']);
});

test('GC reaches the networks of all directories, each for its own attachments', async (t) => {
  const gc = (name: string) => ({ cniVersion: '1.1.0', name, plugins: [{ type: 'bridge', ipam: { type: 'host-local', dataDir: '/nonexistent' } }] });
  const node = await nodeWithChain(t, gc('podnet'));
  const confDir = path.join(path.dirname(node.confDir), 'other.d');
  await fs.mkdir(confDir);
  await fs.writeFile(path.join(confDir, '10-other.conflist'), JSON.stringify(gc('other')));
  const cni = await createCni({ confDir: node.confDir, otherConfDirs: () => [confDir, node.confDir], binDirs: [node.binDir], cacheDir: node.cacheDir, deadlineMs: 5_000, log: silentLogger });
  t.after(() => cni.close());
  await cni.add(pod(node));
  await cni.add({ ...pod(node, 'pod2'), confDir });

  await cni.gc(() => [pod(node), pod(node, 'pod2')]);

  const told = (await node.calls()).filter(({ verb }) => verb === 'GC').map(({ request }) => [request['name'], (request['cni.dev/valid-attachments'] as { containerID: string }[]).map(({ containerID }) => containerID)]);
  assert.deepEqual(told, [['podnet', ['pod1']], ['other', ['pod2']]]);
});
