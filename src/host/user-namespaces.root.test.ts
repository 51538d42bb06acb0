import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { isKind } from '../base/errors.ts';
import { mountIdmapped, unmountIdmapped } from './idmapped-mount.ts';
import { isNamespace, primeThreadPool, removeNamespaces } from './namespaces.ts';
import { run } from './spawn.ts';
import { createUserNamespaces, withUserNamespace } from './user-namespaces.ts';

const range = { containerId: 0, hostId: 300_000, length: 1000 };
const maps = { uids: range, gids: { ...range, hostId: 400_000 } };
const all = { net: true, ipc: true, uts: true };

function folder(t: TestContext): string {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'gantry-userns-'));
  t.after(async () => {
    await unmountIdmapped(path.join(made, 'mapped'));
    removeNamespaces(path.join(made, 'ns'));
    fs.rmSync(made, { recursive: true });
  });
  return made;
}

/** What a shell prints that enters the pinned namespaces as root of theirs. */
async function inside(pins: Readonly<Record<string, string>>, script: string): Promise<string> {
  const enter = Object.entries(pins).map(([kind, pin]) => `--${kind}=${pin}`);
  const { code, stdout, stderr } = await run('/usr/bin/nsenter', [...enter, '--setuid', '0', '--setgid', '0', '/bin/sh', '-c', script], { deadlineMs: 10_000 });
  assert.equal(code, 0, stderr.toString());
  return stdout.toString().trim();
}

/** Helpers that this process started and that still live. */
function helpers(): string[] {
  return fs.readFileSync(`/proc/thread-self/children`, 'utf8').trim().split(' ').filter((pid) => pid !== '');
}

describe('user namespaces', { skip: process.getuid?.() === 0 ? false : 'needs root' }, () => {
  before(primeThreadPool);

  test('the pinned namespaces belong to a user namespace with the maps asked for, set up as the request says', async (t) => {
    const directory = path.join(folder(t), 'ns');
    const sysctls = { 'net.ipv4.ip_unprivileged_port_start': '0', 'kernel.shmmax': '1234567', 'fs.mqueue.msg_max': '42', 'kernel.domainname': 'pods' };

    const pins = await createUserNamespaces({ directory, ...all, hostname: 'mapped', sysctls }, maps);

    assert.deepEqual(Object.keys(pins), ['user', 'net', 'ipc', 'uts']);
    const lines = (await inside(pins as Record<string, string>, 'cat /proc/self/uid_map /proc/self/gid_map; hostname; ip -o link show up; cd /proc/sys; cat net/ipv4/ip_unprivileged_port_start kernel/shmmax fs/mqueue/msg_max kernel/domainname; hostname other && ip link set lo down'))
      .split('\n').map((line) => line.trim().replace(/\s+/g, ' '));
    assert.deepEqual(lines.slice(0, 3), ['0 300000 1000', '0 400000 1000', 'mapped']);
    assert.match(lines[3]!, /^1: lo: .*UP/);
    assert.deepEqual(lines.slice(4), ['0', '1234567', '42', 'pods'], 'and root inside may change name and links');
  });

  test('no helper is left, and the pins hold the namespaces until they are removed', async (t) => {
    const directory = path.join(folder(t), 'ns');
    const before = helpers();

    const { user } = await createUserNamespaces({ directory, net: false, ipc: true, uts: false }, maps);

    assert.deepEqual(helpers(), before);
    assert.deepEqual(fs.readdirSync(directory).sort(), ['ipc', 'user']);
    assert.equal(await isNamespace(user!), true);
    removeNamespaces(directory);
    assert.equal(fs.existsSync(directory), false);
  });

  test('a sysctl that the kernel refuses leaves no pin, and is named', async (t) => {
    const directory = path.join(folder(t), 'ns');

    await assert.rejects(createUserNamespaces({ directory, ...all, sysctls: { 'kernel.shmmni': 'many' } }, maps), (error) =>
      isKind(error, 'invalid-argument') && /set sysctl kernel\.shmmni: the kernel refuses the value "many"/.test(String(error)));
    await assert.rejects(createUserNamespaces({ directory, ...all, sysctls: { 'fs.mqueue.no_such': '1' } }, maps), (error) =>
      isKind(error, 'failed-precondition') && /set sysctl fs\.mqueue\.no_such/.test(String(error)));

    assert.equal(fs.existsSync(directory), false);
  });

  test('pins that are there already are not touched', async (t) => {
    const directory = path.join(folder(t), 'ns');
    const { user } = await createUserNamespaces({ directory, net: false, ipc: false, uts: false }, maps);

    await assert.rejects(createUserNamespaces({ directory, ...all }, maps), (error) => isKind(error, 'already-exists') && /user is pinned there already/.test(String(error)));

    assert.equal(await isNamespace(user!), true);
  });

  test('maps that the kernel refuses are an error, and no helper is left', async () => {
    const before = helpers();

    await assert.rejects(withUserNamespace({ uids: { ...range, hostId: 2 ** 32 - 2 }, gids: range }, () => {}));

    assert.deepEqual(helpers(), before);
  });

  test('an idmapped mount shows mapped owners and changes nothing on the disk', async (t) => {
    const made = folder(t);
    const source = path.join(made, 'source');
    fs.mkdirSync(source);
    fs.writeFileSync(path.join(source, 'file'), 'x');
    fs.chownSync(path.join(source, 'file'), 5, 6);
    const { user } = await createUserNamespaces({ directory: path.join(made, 'ns'), net: false, ipc: false, uts: false }, maps);
    const target = path.join(made, 'mapped');

    mountIdmapped({ source, target, userNamespace: user! }, range.hostId);

    const owner = (file: string): number[] => [fs.statSync(file).uid, fs.statSync(file).gid];
    assert.deepEqual(owner(target), [300_000, 400_000]);
    assert.deepEqual(owner(path.join(target, 'file')), [300_005, 400_006]);
    assert.deepEqual(owner(path.join(source, 'file')), [5, 6]);
    for (let times = 0; times < 2; times++) await unmountIdmapped(target);
    assert.equal(fs.existsSync(target), false);
  });

  test('a filesystem that cannot map owners is refused, and nothing is mounted', async (t) => {
    const made = folder(t);
    const { user } = await createUserNamespaces({ directory: path.join(made, 'ns'), net: false, ipc: false, uts: false }, maps);
    const target = path.join(made, 'mapped');

    assert.throws(() => mountIdmapped({ source: '/sys/kernel', target, userNamespace: user! }, range.hostId), (error) =>
      isKind(error, 'failed-precondition') && /map the owners of files in \/sys\/kernel: its filesystem or this kernel cannot do that/.test(String(error)));

    assert.doesNotMatch(fs.readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(target));
  });
});
