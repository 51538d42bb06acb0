import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';

import { isKind } from '../base/errors.ts';
import { createNamespaces, inNetworkNamespace, isNamespace, primeThreadPool, removeNamespaces, writeSysctls } from './namespaces.ts';
import { run } from './spawn.ts';

const all = { net: true, ipc: true, uts: true };

/** A directory for pins that is cleared after the test whatever happened. */
function pinDirectory(t: TestContext): string {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'gantry-ns-'));
  const directory = path.join(parent, 'ns');
  t.after(() => {
    removeNamespaces(directory);
    fs.rmSync(parent, { recursive: true });
  });
  return directory;
}

/** What the host looks like to this thread. */
function hostView(): unknown {
  return {
    namespaces: ['net', 'ipc', 'uts'].map((kind) => fs.readlinkSync(`/proc/thread-self/ns/${kind}`)),
    hostname: os.hostname(),
    interfaces: Object.keys(os.networkInterfaces()),
    shmmax: fs.readFileSync('/proc/sys/kernel/shmmax', 'utf8'),
    portStart: fs.readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'),
  };
}

/** Asks the pinned namespaces through a program of the system's, not through ours. */
async function inside(directory: string, script: string): Promise<string> {
  const enter = ['net', 'ipc', 'uts'].filter((kind) => fs.existsSync(path.join(directory, kind))).map((kind) => `--${kind}=${path.join(directory, kind)}`);
  const { code, stdout, stderr } = await run('/usr/bin/nsenter', [...enter, '/bin/sh', '-c', script], { deadlineMs: 10_000 });
  assert.equal(code, 0, stderr.toString());
  return stdout.toString().trim();
}

describe('namespaces in this process', { skip: process.getuid?.() === 0 ? false : 'needs root' }, () => {
  before(primeThreadPool);

  test('a pod gets its name, sysctls and a loopback of both families, and the host keeps its own', async (t) => {
    const directory = pinDirectory(t);
    const host = hostView();

    const pins = createNamespaces({
      directory, ...all, hostname: 'pod-one',
      sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0', 'kernel.shmmax': '1234567', 'kernel.sem': '100 3200 10 20', 'fs.mqueue.msg_max': '42', 'kernel.domainname': 'pods' },
    });

    assert.deepEqual(pins, { net: path.join(directory, 'net'), ipc: path.join(directory, 'ipc'), uts: path.join(directory, 'uts') });
    assert.deepEqual(hostView(), host);
    const sysctls = 'cd /proc/sys; cat net/ipv4/ip_unprivileged_port_start kernel/shmmax kernel/sem fs/mqueue/msg_max kernel/domainname';
    assert.deepEqual((await inside(directory, `hostname; ${sysctls}`)).split('\n'), ['pod-one', '0', '1234567', '100\t3200\t10\t20', '42', 'pods']);
    const addresses = await inside(directory, 'ip -o addr show');
    assert.match(addresses, /lo\s+inet 127\.0\.0\.1\/8/);
    if (fs.existsSync('/proc/sys/net/ipv6')) assert.match(addresses, /lo\s+inet6 ::1\/128/);
  });

  test('while one thread is inside, every other task of the process stays outside', (t) => {
    const directory = pinDirectory(t);
    const home = fs.readlinkSync('/proc/thread-self/ns/net');
    const { net: pin } = createNamespaces({ directory, net: true, ipc: false, uts: false });

    const where = inNetworkNamespace(pin!, () => fs.readdirSync('/proc/self/task').map((task) => fs.readlinkSync(`/proc/self/task/${task}/ns/net`)));

    assert.equal(where.filter((namespace) => namespace !== home).length, 1, 'only the thread that went in');
    assert.ok(where.length > 5, `libuv's pool is among the ${where.length} tasks`);
    assert.equal(fs.readlinkSync('/proc/thread-self/ns/net'), home);
  });

  test('file access of the pool, children and listeners stay with the host after many pods were made', async (t) => {
    const home = fs.readlinkSync('/proc/thread-self/ns/net');
    for (let n = 0; n < 20; n += 1) createNamespaces({ directory: pinDirectory(t), ...all, hostname: `pod-${n}` });

    const pool = await Promise.all(Array.from({ length: 16 }, () => fs.promises.readlink('/proc/thread-self/ns/net')));
    const child = await run('/usr/bin/readlink', ['/proc/self/ns/net'], { deadlineMs: 10_000 });

    assert.deepEqual(new Set(pool), new Set([home]));
    assert.equal(child.stdout.toString().trim(), home);
  });

  test('what happens inside a pod does not reach the host: the same port is free in both', async (t) => {
    const directory = pinDirectory(t);
    const { net: pin } = createNamespaces({ directory, net: true, ipc: false, uts: false });
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    t.after(() => server.close());
    const { port } = server.address() as net.AddressInfo;

    const listing = await inside(directory, 'cat /proc/net/tcp');

    assert.doesNotMatch(listing, new RegExp(`:${port.toString(16).toUpperCase().padStart(4, '0')} `));
    assert.deepEqual(inNetworkNamespace(pin!, () => Object.keys(os.networkInterfaces())), ['lo']);
  });

  test('only what is asked for is made', (t) => {
    const directory = pinDirectory(t);

    const pins = createNamespaces({ directory, net: false, ipc: true, uts: false });

    assert.deepEqual(pins, { ipc: path.join(directory, 'ipc') });
    assert.deepEqual(fs.readdirSync(directory), ['ipc']);
  });

  test('a sysctl that the kernel refuses leaves nothing pinned and the host as it was', (t) => {
    const directory = pinDirectory(t);
    const host = hostView();

    assert.throws(() => createNamespaces({ directory, ...all, hostname: 'pod', sysctls: { 'net.ipv4.ip_forward': 'many' } }),
      (error) => isKind(error, 'invalid-argument') && /set sysctl net\.ipv4\.ip_forward: the kernel refuses the value "many"/.test((error as Error).message));
    assert.throws(() => createNamespaces({ directory, ...all, sysctls: { 'net.ipv4.no_such_thing': '1' } }),
      (error) => isKind(error, 'failed-precondition') && /no such sysctl/.test((error as Error).message));

    assert.equal(fs.existsSync(directory), false);
    assert.doesNotMatch(fs.readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(directory));
    assert.deepEqual(hostView(), host);
  });

  test('pins that exist are not replaced', (t) => {
    const directory = pinDirectory(t);
    const { net: pin } = createNamespaces({ directory, ...all });
    const inode = fs.statSync(pin!).ino;

    assert.throws(() => createNamespaces({ directory, ...all }), (error) => isKind(error, 'already-exists'));

    assert.equal(fs.statSync(pin!).ino, inode);
  });

  test('removed namespaces are gone, also when mounted twice, and removing again is fine', async (t) => {
    const directory = pinDirectory(t);
    const { net: pin } = createNamespaces({ directory, ...all });
    await run('/bin/mount', ['--bind', pin!, pin!], { deadlineMs: 10_000 });
    assert.equal(await isNamespace(pin!), true);

    removeNamespaces(directory);
    removeNamespaces(directory);

    assert.equal(await isNamespace(pin!), false);
    assert.equal(fs.existsSync(directory), false);
    assert.doesNotMatch(fs.readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(directory));
  });

  test('removing namespaces that were never made, or half made, is fine', (t) => {
    const directory = pinDirectory(t);
    fs.mkdirSync(directory);
    fs.writeFileSync(path.join(directory, 'net'), '');

    removeNamespaces(directory);
    removeNamespaces(directory);
    removeNamespaces(path.join(directory, 'not', 'there'));

    assert.equal(fs.existsSync(directory), false);
  });

  test('late sysctls are written inside', async (t) => {
    const directory = pinDirectory(t);
    const pins = createNamespaces({ directory, ...all });
    const host = hostView();

    writeSysctls(pins, { 'net.ipv4.conf.lo.arp_notify': '1', 'kernel.shmmax': '7654321' });

    assert.equal(await inside(directory, 'cat /proc/sys/net/ipv4/conf/lo/arp_notify /proc/sys/kernel/shmmax'), '1\n7654321');
    assert.deepEqual(hostView(), host);
  });

  test('work that throws inside still comes home, and a pin that is no namespace is not-found', (t) => {
    const directory = pinDirectory(t);
    const home = fs.readlinkSync('/proc/thread-self/ns/net');
    const { net: pin } = createNamespaces({ directory, net: true, ipc: false, uts: false });

    assert.throws(() => inNetworkNamespace(pin!, () => { throw new Error('inside'); }), /inside/);
    assert.throws(() => inNetworkNamespace('/nothing/here', () => 1), (error) => isKind(error, 'not-found'));
    assert.throws(() => inNetworkNamespace('/etc/passwd', () => 1), (error) => isKind(error, 'not-found'));

    assert.equal(fs.readlinkSync('/proc/thread-self/ns/net'), home);
  });
});
