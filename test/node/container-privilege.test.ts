/** What a container may do, tried from inside it: capabilities, seccomp, hidden paths, no new privileges, privileged, AppArmor. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import {
  Capability, LinuxPodSandboxConfig, LinuxSandboxSecurityContext, NamespaceMode, NamespaceOption, SecurityProfile, SecurityProfile_ProfileType as ProfileType,
} from '../../src/gen/cri.ts';
import type { LinuxContainerSecurityContext } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { assertFails, startWorkload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

type Security = Partial<LinuxContainerSecurityContext>;

const loadedProfiles = '/sys/kernel/security/apparmor/profiles';
const hasAppArmor = existsSync(loadedProfiles);
const noAppArmor = 'this kernel has no AppArmor: shown in the virtual machine of the tests, and as data in cri-fields.test.ts';

const node = await startWorkload();
after(() => node.stop());
const pod = await node.runPod();
const files = path.join(node.daemon.paths.dir, 'profiles');
mkdirSync(files);

const capabilities = (fields: Partial<Capability>): Security => ({ capabilities: message(Capability, fields) });
const profile = (profileType: ProfileType, localhostRef = ''): SecurityProfile => message(SecurityProfile, { profileType, localhostRef });
const runtimeDefault = profile(ProfileType.RuntimeDefault);
const unconfined = profile(ProfileType.Unconfined);
const asUser = (uid: bigint): Security => ({ runAsUser: { value: uid } });

/** What a shell in a container of these rights writes; what it is refused stays silent. */
function seen(security: Security, script: string): Promise<string> {
  return node.outputOf(pod, { script: `exec 2>/dev/null; ${script}`, security });
}

/** A line of /proc/self/status of a process in such a container. */
async function statusLine(security: Security, name: string): Promise<string> {
  return (await seen(security, `sed -n 's/^${name}:\\s*//p' /proc/self/status`)).trim();
}

const bit = (capability: number): bigint => 1n << BigInt(capability);
const [chown, netBindService, netAdmin, sysAdmin] = [bit(0), bit(10), bit(12), bit(21)];

test('capabilities are added and dropped by name in any case, with and without CAP_, and ALL', async () => {
  const bounding = async (fields: Partial<Capability>): Promise<bigint> => BigInt(`0x${await statusLine(capabilities(fields), 'CapBnd')}`);
  const own = BigInt(`0x${/CapBnd:\s+(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]}`);

  assert.equal(await bounding({ dropCapabilities: ['all'], addCapabilities: ['net_admin', 'CAP_CHOWN', 'cap_net_bind_service'] }), netAdmin | chown | netBindService);
  assert.equal(await bounding({ addCapabilities: ['ALL'], dropCapabilities: ['Sys_Admin'] }), own & ~sysAdmin);
  assert.equal(await bounding({ dropCapabilities: ['ALL'] }), 0n);
});

test('a capability that does not exist is refused by its field', async () => {
  const creating = (fields: Partial<Capability>) => node.createContainer(pod, { security: capabilities(fields) });

  await assertFails(creating({ addCapabilities: ['NET_ADMN'] }), status.INVALID_ARGUMENT, /capabilities\.add_capabilities\[0\]: "NET_ADMN" is no capability of Linux/);
  await assertFails(creating({ addAmbientCapabilities: ['CHOWN', ''] }), status.INVALID_ARGUMENT, /capabilities\.add_ambient_capabilities\[1\]: "" is no capability of Linux/);
});

test('ambient capabilities are in force for a user who is not root, and only they', async () => {
  const script = 'touch /tmp/own; chown 0 /tmp/own && echo given away; grep -E "Cap(Inh|Eff|Amb)" /proc/self/status';
  const sets = (value: string): string => ['CapInh', 'CapEff', 'CapAmb'].map((name) => `${name}:\t${value}\n`).join('');

  assert.equal(await seen(asUser(1000n), `mkdir -p /tmp; ${script}`), sets('0'.repeat(16)));
  const ambient = { ...asUser(1000n), ...capabilities({ addAmbientCapabilities: ['chown'] }) };
  assert.equal(await seen(ambient, script.replaceAll('/tmp/own', '/dev/shm/own')), `given away\n${sets('0000000000000001')}`);
});

test('no new privileges means that setuid programs give none', async () => {
  assert.equal(await statusLine({ noNewPrivs: true }, 'NoNewPrivs'), '1');
  assert.equal(await statusLine({}, 'NoNewPrivs'), '0');
});

test('the default seccomp profile refuses what programs do not need, by the message or the old string; nothing said is no filter', async () => {
  const script = 'grep Seccomp: /proc/self/status; unshare -U true && echo unshared';

  assert.equal(await seen({ seccomp: runtimeDefault }, script), 'Seccomp:\t2\n');
  assert.equal(await seen({ seccompProfilePath: 'runtime/default' }, script), 'Seccomp:\t2\n');
  for (const security of [{}, { seccomp: unconfined }, { seccompProfilePath: 'unconfined' }, { seccomp: unconfined, seccompProfilePath: 'runtime/default' }]) {
    assert.equal(await seen(security, script), 'Seccomp:\t0\nunshared\n');
  }
});

test('the default seccomp profile follows the capabilities of the container', async () => {
  const mounting = 'mount -t tmpfs none /home && echo mounted';
  const withSysAdmin = capabilities({ addCapabilities: ['SYS_ADMIN'] });

  assert.equal(await seen({ seccomp: runtimeDefault, apparmor: unconfined }, mounting), '');
  assert.equal(await seen({ seccomp: runtimeDefault, apparmor: unconfined, ...withSysAdmin }, mounting), 'mounted\n');
});

/** A seccomp profile among the node's files. */
function seccompFile(name: string, content: object | string): string {
  const file = path.join(files, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

test('a seccomp profile of the node is applied, with its own errno', async () => {
  const refusing = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 };
  const file = seccompFile('no-mkdir.json', { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [refusing] });
  const script = 'mkdir /new 2>&1; touch /new-file && echo touched';

  for (const security of [{ seccomp: profile(ProfileType.Localhost, file) }, { seccompProfilePath: `localhost/${file}` }]) {
    assert.equal(await node.outputOf(pod, { script, security }), "mkdir: can't create directory '/new': Function not implemented\ntouched\n");
  }
});

test('the flags of a seccomp profile reach the runtime, which refuses those it cannot do', async (t) => {
  const flagged = (flag: string) => {
    const file = seccompFile(`${flag}.json`, { defaultAction: 'SCMP_ACT_ALLOW', flags: [`SECCOMP_FILTER_FLAG_${flag}`], syscalls: [{ names: ['swapon'], action: 'SCMP_ACT_ERRNO' }] });
    return statusLine({ seccomp: profile(ProfileType.Localhost, file) }, 'Seccomp');
  };

  await assert.rejects(flagged('OTHER'), /OTHER\.json: flags\[0\] is not valid/);
  for (const flag of ['LOG', 'SPEC_ALLOW', 'WAIT_KILLABLE_RECV']) {
    const outcome = await flagged(flag).catch((error: unknown) => String(error));
    t.diagnostic(`${flag}: ${outcome}`);
    assert.match(outcome, /^2$|seccomp.* flag/i);
  }
});

test('a seccomp profile that cannot be used is refused by its name', async () => {
  const creating = (localhostRef: string) => node.createContainer(pod, { security: { seccomp: profile(ProfileType.Localhost, localhostRef) } });
  const fifo = path.join(files, 'fifo');
  execFileSync('mkfifo', [fifo]);

  await assertFails(creating(path.join(files, 'absent.json')), status.FAILED_PRECONDITION, /absent\.json/);
  await assertFails(creating(seccompFile('cut.json', '{"defaultAction":')), status.FAILED_PRECONDITION, /cut\.json: .*JSON/);
  await assertFails(creating(seccompFile('bad.json', { defaultAction: 'ALLOW' })), status.FAILED_PRECONDITION, /bad\.json: defaultAction is not valid: "ALLOW"/);
  await assertFails(creating(seccompFile('big.json', ' '.repeat(1024 * 1024 + 1))), status.FAILED_PRECONDITION, /big\.json: it has 1048577 bytes/);
  await assertFails(creating(fifo), status.FAILED_PRECONDITION, /fifo: it is not a regular file/);
  await assertFails(creating('relative.json'), status.INVALID_ARGUMENT, /seccomp\.localhost_ref/);
});

test('a seccomp profile that asks a listener which is not there fails with the runtime\'s words', async () => {
  const asking = { defaultAction: 'SCMP_ACT_ALLOW', listenerPath: path.join(files, 'no.sock'), syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }] };

  await assert.rejects(node.createContainer(pod, { security: { seccomp: profile(ProfileType.Localhost, seccompFile('asking.json', asking)) } }), /seccomp|connect/i);
});

test('masked and read-only paths are what the caller says, none with procMount Unmasked', async () => {
  const script = 'stat -c %t,%T /proc/timer_list; ls /sys/firmware | wc -l; echo 7 > /proc/sys/kernel/shmmni && echo written';
  const hidden = { maskedPaths: ['/proc/timer_list', '/sys/firmware', '/proc/absent'], readonlyPaths: ['/proc/sys', '/proc/absent'] };

  assert.equal(await seen(hidden, script), '1,3\n0\n', 'as /dev/null and an empty folder');
  assert.match(await seen({}, script), /^0,0\n[1-9]\d*\nwritten\n$/);
});

test('of a container that is not privileged: no mounts, devices or writes to a read-only root', async () => {
  const script = `touch /x && echo wrote; mount -o remount,rw / && echo remounted; mknod /dev/log c 1 11; (: < /dev/log) && echo opened;
    echo 1 > /sys/kernel/uevent_seqnum && echo wrote sysfs; mount -t proc none /proc && echo mounted; chroot / true && echo has chroot`;

  assert.equal(await seen({ readonlyRootfs: true }, script), 'has chroot\n');
});

test('privileged has its eight effects', async (t) => {
  const own = /CapBnd:\s+(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  // What it overrides is asked for too: the CRI lets all of it be without effect.
  const security: Security = {
    privileged: true, seccomp: runtimeDefault, apparmor: runtimeDefault, ...capabilities({ dropCapabilities: ['ALL'] }), maskedPaths: ['/proc/timer_list'], readonlyPaths: ['/proc/sys'],
  };
  const id = await node.runContainer(await node.runPod(), { security });
  const sh = (script: string): Promise<string> => node.sh(id, script);

  assert.equal(await sh("sed -n 's/^CapEff:\\s*//p' /proc/self/status"), own, '1: all capabilities (that the daemon has)');
  assert.equal(await sh('stat -c %t,%T /proc/timer_list'), '0,0', '2: nothing masked');
  assert.match(await sh('grep -E " /(sys|proc) " /proc/mounts'), /^proc \/proc proc rw,.*\nsysfs \/sys sysfs rw,/, '3: sysfs and procfs read-write');
  assert.equal(await sh('cat /proc/sys/kernel/shmmni > /proc/sys/kernel/shmmni; echo $?'), '0', '3: and below them');
  await t.test('4: no AppArmor', { skip: hasAppArmor ? false : noAppArmor }, async () => assert.equal(await sh('cat /proc/self/attr/current'), 'unconfined'));
  assert.equal(await sh("sed -n 's/^Seccomp:\\s*//p' /proc/self/status"), '0', '5: no seccomp');
  assert.equal(await sh('mknod /kmsg c 1 11 && : < /kmsg && echo opened'), 'opened', '6: any device may be opened');
  assert.equal(await sh('ls -d /dev/kmsg /dev/mem 2>/dev/null | wc -l'), String(['/dev/kmsg', '/dev/mem'].filter(existsSync).length), '7: the devices of the host');
  t.diagnostic('8, no SELinux label, is data: with-selinux in cri-fields.test.ts');
});

test('a privileged container needs a pod that was announced as privileged, at the latest with the container', async () => {
  const namespaceOptions = message(NamespaceOption, { pid: NamespaceMode.CONTAINER });
  const plain = node.podConfig();
  const ordinary = await node.runPod({ config: { linux: message(LinuxPodSandboxConfig, { ...plain.linux, securityContext: message(LinuxSandboxSecurityContext, { namespaceOptions }) }) } });

  await assertFails(node.createContainer(ordinary, { security: { privileged: true } }), status.INVALID_ARGUMENT, /security_context\.privileged: the pod's own security context is not privileged/);

  // How a kubelet adds a container to debug the pod with.
  const announced = message(LinuxPodSandboxConfig, { ...ordinary.config.linux, securityContext: message(LinuxSandboxSecurityContext, { namespaceOptions, privileged: true }) });
  const debug = await node.runContainer({ ...ordinary, config: { ...ordinary.config, linux: announced } }, { security: { privileged: true } });
  assert.equal(await node.sh(debug, 'mknod /kmsg c 1 11 && : < /kmsg && echo opened'), 'opened');
});

test('without AppArmor its default profile is without effect, and one asked for by name is refused', { skip: hasAppArmor ? 'this kernel has AppArmor' : false }, async () => {
  assert.equal(await seen({ apparmor: runtimeDefault, apparmorProfile: 'runtime/default' }, 'echo runs'), 'runs\n');
  await assertFails(node.createContainer(pod, { security: { apparmor: profile(ProfileType.Localhost, 'shop') } }), status.FAILED_PRECONDITION, /AppArmor profile "shop": AppArmor is not enabled on this node/);
  await assertFails(node.createContainer(pod, { security: { apparmorProfile: 'localhost/shop' } }), status.FAILED_PRECONDITION, /AppArmor is not enabled/);
});

const label = 'cat /proc/self/attr/current';
const builtIn = 'gantry-default-1';

test('AppArmor: the built-in profile confines who asks for the default or for nothing, also against what capabilities allow', { skip: hasAppArmor ? false : noAppArmor }, async () => {
  const forbidden = `mount -t tmpfs none /home && echo mounted; cat /proc/sys/vm/swappiness > /proc/sys/vm/swappiness && echo wrote sysctl; echo 1 > /proc/sysrq-trigger && echo sysrq;
    cat /proc/sys/kernel/shmmni > /proc/sys/kernel/shmmni && echo shm; sleep 9 & kill $! && echo signalled`;
  const withSysAdmin = capabilities({ addCapabilities: ['SYS_ADMIN'] });

  for (const security of [{}, { apparmor: runtimeDefault }, { apparmorProfile: 'runtime/default' }]) assert.equal(await seen(security, label), `${builtIn} (enforce)\n`);
  assert.equal(await seen(withSysAdmin, forbidden), 'shm\nsignalled\n');
  assert.match(await seen({ ...withSysAdmin, apparmor: unconfined }, `${label}; ${forbidden}`), /^unconfined\nmounted\nwrote sysctl\n[^]*shm\nsignalled\n$/);
});

test('AppArmor: process 1 of containers that share their processes is confined as well', { skip: hasAppArmor ? false : noAppArmor }, async () => {
  const shared = await node.runPod({ namespaces: { pid: NamespaceMode.POD } });

  assert.match(await node.sh(await node.runContainer(shared), 'cat /proc/1/cmdline; cat /proc/1/attr/current'), /^\/pause.*gantry-default-\d+ \(enforce\)/);
});

test('AppArmor: a confined container can still be stopped, and commands run in it are confined too', { skip: hasAppArmor ? false : noAppArmor }, async () => {
  const id = await node.runContainer(pod);

  assert.equal(await node.sh(id, label), `${builtIn} (enforce)`);
  await node.client.stopContainer({ containerId: id, timeout: 0n });
  await node.ended(id);
});

test('AppArmor: the built-in profile is loaded again after somebody unloaded it', { skip: hasAppArmor ? false : noAppArmor }, async () => {
  execFileSync('apparmor_parser', ['--remove'], { input: `profile ${builtIn} { }` });
  assert.doesNotMatch(readFileSync(loadedProfiles, 'utf8'), /gantry-default/);

  assert.equal(await seen({}, label), `${builtIn} (enforce)\n`);
});

test('AppArmor: a profile of the node is applied by name, and has to be loaded', { skip: hasAppArmor ? false : noAppArmor }, async (t) => {
  const name = `gantry-test-${process.pid}`;
  const text = `profile ${name} flags=(attach_disconnected) { file, capability, network, signal, deny /forbidden w, }`;
  const creating = (security: Security) => node.createContainer(pod, { security });
  const refusal = new RegExp(`AppArmor profile "${name}": it is not loaded on this node`);

  await assertFails(creating({ apparmor: profile(ProfileType.Localhost, name) }), status.FAILED_PRECONDITION, refusal);
  await assertFails(creating({ apparmorProfile: `localhost/${name}` }), status.FAILED_PRECONDITION, refusal);
  execFileSync('apparmor_parser', ['--replace', '--skip-cache'], { input: text });
  t.after(() => spawnSync('apparmor_parser', ['--remove'], { input: text }));

  for (const security of [{ apparmor: profile(ProfileType.Localhost, name) }, { apparmorProfile: `localhost/${name}` }]) {
    assert.equal(await seen(security, `${label}; touch /forbidden && echo written; touch /allowed && echo allowed`), `${name} (enforce)\nallowed\n`);
  }
});

test('of all these containers nothing is left once the pods are removed', () => assertRemovalLeavesNothing(node.daemon));
