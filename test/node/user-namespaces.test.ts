/** Pods whose root is nobody on the node (KEP-127), proved from inside and from outside. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { ImageSpec, LinuxPodSandboxConfig, LinuxSandboxSecurityContext, Mount, NamespaceMode, NamespaceOption, type IDMapping, type UserNamespace } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { busyboxImage, makeImage, pushImage } from '../support/image.ts';
import { assertFails, eventually, startWorkload, type WorkloadPod } from '../support/workload.ts';
import { assertNoTraces, assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const { daemon, client } = node;

const base = 200_000;
const length = 65_536;

const range = (hostId = base, count = length): IDMapping[] => [{ containerId: 0, hostId, length: count }];
const users = (hostId = base, count = length): UserNamespace => ({ mode: NamespaceMode.POD, uids: range(hostId, count), gids: range(hostId, count) });

/** Skips where the runtime under test has no user namespaces to offer; that it says so is the last tests' matter. */
async function wantSupport(t: TestContext): Promise<boolean> {
  const { runtimeHandlers } = await client.status({ verbose: false });
  const offered = runtimeHandlers.find(({ name }) => name === '')?.features?.userNamespaces === true;
  if (!offered) t.skip('this OCI runtime cannot make idmapped mounts');
  return offered;
}

function userTest(name: string, body: () => Promise<void>): void {
  test(name, async (t) => {
    if (await wantSupport(t)) await body();
  });
}

async function runPod(options: Partial<NamespaceOption> = {}): Promise<WorkloadPod> {
  return await node.runPod({ namespaces: { usernsOptions: users(), ...options } });
}

async function pidOf(containerId: string): Promise<number> {
  const { info } = await client.containerStatus({ containerId, verbose: true });
  return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
}

/** The user that the node sees a process run as. */
const ownerOf = (pid: number): number => statSync(`/proc/${pid}`).uid;

/** A folder of the node's as a volume, closed to all but root of the node. */
function volume(name: string, change: Partial<Mount> = {}): { readonly host: string; readonly mount: Mount } {
  const host = path.join(daemon.paths.dir, name);
  mkdirSync(host);
  chmodSync(host, 0o700);
  return { host, mount: message(Mount, { hostPath: host, containerPath: `/${name}`, ...change }) };
}

async function restartWith(config: string): Promise<void> {
  writeFileSync(daemon.paths.configFile, config);
  await daemon.kill9();
  await daemon.restart();
}

const mapped = { uidMappings: range(), gidMappings: range() };

userTest('root inside is nobody outside: its processes, and the files that it makes', async () => {
  const pod = await runPod();
  const id = await node.runContainer(pod);

  assert.match(await node.sh(id, 'cat /proc/self/uid_map /proc/self/gid_map'), /^\s*0\s+200000\s+65536\n\s*0\s+200000\s+65536$/);
  assert.equal(await node.sh(id, 'id -u; stat -c %u:%g / /etc/passwd /etc/hostname /etc/resolv.conf /dev/shm'), ['0', '0:0', '0:0', '0:0', '0:0', '0:0'].join('\n'));
  assert.equal(ownerOf(await pidOf(id)), base);
  await node.sh(id, 'echo mine > /made; touch /given; chown 1000:1001 /given; chmod 4755 /made; echo more >> /etc/passwd');
  const upper = path.join(daemon.paths.root, 'containers', id, 'upper');
  const owner = (name: string): string => `${statSync(path.join(upper, name)).uid}:${statSync(path.join(upper, name)).gid}`;
  assert.deepEqual(['made', 'given', 'etc/passwd'].map(owner), ['200000:200000', '201000:201001', '200000:200000']);
});

userTest('what root of the node alone may do is refused inside', async () => {
  const pod = await runPod();
  const secret = volume('secret');
  writeFileSync(path.join(secret.host, 'key'), 'secret', { mode: 0o600 });
  chmodSync(secret.host, 0o711);
  const id = await node.runContainer(pod, { config: { mounts: [secret.mount] } });
  const refused = async (script: string): Promise<void> => assert.notEqual((await client.execSync({ containerId: id, cmd: ['sh', '-c', script], timeout: 30n })).exitCode, 0, script);

  await refused('cat /secret/key');
  await refused('mknod /disk b 254 0');
  await refused('chmod 000 /dev/null');
  await refused('echo 1 > /proc/sys/kernel/panic');
  await refused('chown 70000 /etc/passwd');
  assert.equal(statSync('/dev/null').uid, 0);
});

userTest('nobody else of the node can reach what is set-user-ID inside', async () => {
  const pod = await runPod();
  const id = await node.runContainer(pod);

  const { bundle, podFolder } = { bundle: path.join(daemon.paths.state, 'containers', id), podFolder: path.join(daemon.paths.state, 'pods', pod.id) };

  for (const folder of [bundle, podFolder]) {
    const { mode, uid, gid } = statSync(folder);
    assert.deepEqual([mode & 0o777, uid, gid], [0o710, 0, base], folder);
  }
  assert.equal(statSync(path.join(daemon.paths.root, 'containers', id)).mode & 0o777, 0o700);
});

userTest("a capability counts in the pod's network and nowhere else", async () => {
  const pod = await runPod();
  const admin = await node.runContainer(pod, { security: { capabilities: { addCapabilities: ['NET_ADMIN'], dropCapabilities: [], addAmbientCapabilities: [] } } });
  const plain = await node.runContainer(pod);

  await node.sh(admin, 'ip addr add 192.0.2.1/32 dev lo');
  assert.match(await node.sh(plain, 'ip addr show lo'), /192\.0\.2\.1/);
  assert.notEqual((await client.execSync({ containerId: plain, cmd: ['ip', 'addr', 'add', '192.0.2.2/32', 'dev', 'lo'], timeout: 30n })).exitCode, 0);
});

userTest('the pod has its name, network, sysctls of each kind, and a /sys of its own', async () => {
  const sysctls = { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.conf.eth0.rp_filter': '2', 'kernel.shmmax': '1234567', 'fs.mqueue.msg_max': '42', 'kernel.domainname': 'pods' };
  const namespaceOptions = message(NamespaceOption, { pid: NamespaceMode.CONTAINER, usernsOptions: users() });
  const linux = message(LinuxPodSandboxConfig, { sysctls, securityContext: message(LinuxSandboxSecurityContext, { namespaceOptions }) });
  const pod = await node.runPod({ name: 'named', config: { linux } });
  const id = await node.runContainer(pod);

  const read = 'cd /proc/sys; cat net/ipv4/ip_unprivileged_port_start net/ipv4/conf/eth0/rp_filter kernel/shmmax fs/mqueue/msg_max kernel/domainname';
  assert.equal(await node.sh(id, `hostname; ${read}`), ['named', '0', '2', '1234567', '42', 'pods'].join('\n'));
  assert.match(await node.sh(id, 'ip addr show eth0'), new RegExp(`inet ${(await node.addressOf(pod)).replaceAll('.', '\\.')}/`));
  assert.equal(await node.sh(id, 'ls /sys/class/net'), 'eth0\nlo');
});

userTest('two pods have nothing in common on the node', async () => {
  const [one, other] = await Promise.all([base, base + length].map(async (hostId) => {
    const pod = await node.runPod({ namespaces: { usernsOptions: users(hostId) } });
    return node.runContainer(pod);
  }));

  assert.deepEqual([ownerOf(await pidOf(one!)), ownerOf(await pidOf(other!))], [base, base + length]);
  const owner = async (id: string): Promise<string> => readlinkSync(`/proc/${await pidOf(id)}/ns/user`);
  assert.notEqual(await owner(one!), await owner(other!));
  assert.notEqual(await owner(one!), readlinkSync('/proc/self/ns/user'));
});

userTest('a mapped volume has the same owners inside and on the disk, also below a closed folder; an unmapped one is of nobody', async () => {
  const pod = await runPod();
  const own = volume('own', mapped);
  writeFileSync(path.join(own.host, 'of-root'), 'x', { mode: 0o600 });
  writeFileSync(path.join(own.host, 'of-ada'), 'x');
  chownSync(path.join(own.host, 'of-ada'), 1000, 1000);
  const foreign = volume('foreign');
  chmodSync(foreign.host, 0o755);
  const id = await node.runContainer(pod, { config: { mounts: [own.mount, foreign.mount] } });

  assert.equal(await node.sh(id, 'stat -c %u /own /own/of-root /own/of-ada /foreign; cat /own/of-root'), '0\n0\n1000\n65534\nx');
  await node.sh(id, 'touch /own/made; chown 7:8 /own/made');
  const made = statSync(path.join(own.host, 'made'));
  assert.deepEqual([made.uid, made.gid], [7, 8]);
});

userTest('a volume whose filesystem cannot be mapped is a clear refusal', async () => {
  const pod = await runPod();
  const mounts = [message(Mount, { hostPath: '/sys/kernel', containerPath: '/kernel', ...mapped })];

  await assertFails(node.createContainer(pod, { config: { mounts } }), status.FAILED_PRECONDITION, /mount_setattr `\/sys\/kernel`: Invalid argument \(the filesystem cannot map owners: a pod with a user namespace cannot use this volume\)/);
});

userTest("an image's VOLUMEs belong to root of the pod, whether the image has something there or not", async () => {
  const pod = await runPod();
  const declaring = busyboxImage({
    config: { Volumes: { '/seeded': {}, '/fresh': {}, '/made/fresh': {} } },
    layers: [[{ path: 'seeded', type: 'directory', uid: 1000, gid: 2000, mode: 0o750 }, { path: 'seeded/file', content: 'seed\n', uid: 1000 }]],
  });
  const image = await pushImage(node.registry, 'test/users-declaring:1', declaring);
  await node.pull(image);
  const seen = 'stat -c "%u %g %n" /seeded /seeded/file /fresh /made /made/fresh; for folder in /seeded /fresh /made/fresh; do : > $folder/new; done; cat /seeded/file';
  const owners = '1000 2000 /seeded\n1000 0 /seeded/file\n0 0 /fresh\n0 0 /made\n0 0 /made/fresh\nseed';

  assert.equal(await node.sh(await node.runContainer(pod, { image }), seen), owners);

  await restartWith('[container]\nimage_volumes = "mkdir"\n');
  assert.equal(await node.sh(await node.runContainer(pod, { image }), seen), owners);
  await restartWith('');
});

userTest('an image that is mounted shows the owners that it has, though the kubelet asks for a mapped mount of it', async () => {
  const pod = await runPod();
  const name = await pushImage(node.registry, 'test/users-data:1', makeImage({ layers: [[{ path: 'of-root', content: 'x\n', mode: 0o600 }, { path: 'deep', type: 'directory' }, { path: 'deep/of-ada', content: 'y\n', uid: 1000 }]] }));
  await node.pull(name);
  const image = message(ImageSpec, { image: name });
  const mounts = [message(Mount, { containerPath: '/data', readonly: true, image, ...mapped }), message(Mount, { containerPath: '/deep', readonly: true, image, imageSubPath: 'deep', ...mapped })];

  const id = await node.runContainer(pod, { config: { mounts } });

  assert.equal(await node.sh(id, 'stat -c "%u %g %n" /data /data/of-root /deep/of-ada; cat /data/of-root /deep/of-ada'), '0 0 /data\n0 0 /data/of-root\n1000 0 /deep/of-ada\nx\ny');
});

userTest('containers that share their processes do so in the user namespace, whose process 1 is nobody of the node as well', async () => {
  const pod = await node.runPod({ namespaces: { pid: NamespaceMode.POD, usernsOptions: users(1000, 100_000) } });
  const first = await node.runContainer(pod, { command: ['sleep', '10001'] });
  const second = await node.runContainer(pod, { command: ['sleep', '10002'] });

  assert.match(await node.sh(second, 'cat /proc/self/uid_map'), /^\s*0\s+1000\s+100000$/);
  assert.match(await node.sh(first, 'cat /proc/[0-9]*/cmdline'), /10002/);
  assert.match(await node.sh(first, 'cat /proc/1/cmdline'), /^\/pause/);
  assert.equal(await node.sh(first, 'stat -c %u /proc/1'), '65535');
  const { info } = await client.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
  assert.equal(ownerOf((JSON.parse(info['info']!) as { pid: number }).pid), 1000 + 65_535);
});

userTest('a pod of the node\'s network may look at it and change nothing', async () => {
  const pod = await runPod({ network: NamespaceMode.NODE });
  const id = await node.runContainer(pod, { security: { capabilities: { addCapabilities: ['NET_ADMIN'], dropCapabilities: [], addAmbientCapabilities: [] } } });

  assert.equal(await node.sh(id, 'readlink /proc/self/ns/net'), readlinkSync('/proc/self/ns/net'));
  assert.match(await node.sh(id, 'cat /proc/self/uid_map'), /200000/);
  assert.match(await node.sh(id, 'ls /sys/class/net'), new RegExp(daemon.network.bridge));
  for (const script of ['ip addr add 192.0.2.3/32 dev lo', 'echo 1 > /sys/kernel/profiling', 'mkdir /sys/fs/cgroup/memory/x']) {
    assert.notEqual((await client.execSync({ containerId: id, cmd: ['sh', '-c', script], timeout: 30n })).exitCode, 0, script);
  }
  assert.equal((await client.status({ verbose: false })).features?.userNamespacesHostNetwork, true);
});

userTest('a privileged container has all power in its pod and none over the node', async () => {
  const namespaceOptions = message(NamespaceOption, { pid: NamespaceMode.CONTAINER, usernsOptions: users() });
  const linux = message(LinuxPodSandboxConfig, { securityContext: message(LinuxSandboxSecurityContext, { namespaceOptions, privileged: true }) });
  const pod = await node.runPod({ config: { linux } });
  const id = await node.runContainer(pod, { security: { privileged: true } });

  await node.sh(id, 'mount -t tmpfs none /tmp && ip link set lo mtu 1400');
  for (const script of ['echo 1 > /proc/sys/kernel/panic', 'dd if=/dev/vda of=/dev/null count=1', 'mknod /disk b 254 0']) {
    assert.notEqual((await client.execSync({ containerId: id, cmd: ['sh', '-c', script], timeout: 30n })).exitCode, 0, script);
  }
});

userTest('logs, identity, exec, statistics, stop and exit codes are as in any pod', async () => {
  const pod = await runPod();
  const id = await node.runContainer(pod, { script: "trap 'exit 7' TERM; id -u; id -g; while true; do sleep 0.05; done", security: { runAsUser: { value: 1000n }, runAsGroup: { value: 1001n } } });

  await eventually(async () => assert.deepEqual((await node.log(id)).map(({ text }) => text), ['1000', '1001']));
  assert.equal(ownerOf(await pidOf(id)), base + 1000);
  assert.deepEqual((await node.statusOf(id)).user?.linux, { uid: 1000n, gid: 1001n, supplementalGroups: [1001n, 2000n] });
  assert.equal(await node.sh(id, 'id -u'), '1000');
  const { stats } = await client.containerStats({ containerId: id });
  assert.ok((stats?.memory?.workingSetBytes?.value ?? 0n) > 0n);
  assert.deepEqual((await client.podSandboxStatus({ podSandboxId: pod.id })).status?.linux?.namespaces?.options?.usernsOptions, users());
  await client.stopContainer({ containerId: id, timeout: 30n });
  assert.equal((await node.statusOf(id)).exitCode, 7);
});

userTest('limits hold (CVE-2025-47291): more memory than allowed ends the container', async () => {
  const pod = await runPod();
  const id = await node.runContainer(pod, { script: 'x=a; while true; do x=$x$x; done', resources: { memoryLimitInBytes: 32n << 20n } });

  assert.equal((await node.ended(id)).reason, 'OOMKilled');
});

userTest('a user that the namespace does not map is refused by name', async () => {
  const pod = await node.runPod({ namespaces: { usernsOptions: users(base, 1000) } });

  await assertFails(node.createContainer(pod, { security: { runAsUser: { value: 1000n } } }), status.INVALID_ARGUMENT, /run_as_user: 1000 is not mapped in the pod's user namespace, which has the ids 0 to 999/);
});

userTest('a container is in the user namespace of its pod or is refused', async () => {
  const pod = await runPod();
  const plain = await node.runPod();
  const create = (of: WorkloadPod, usernsOptions: UserNamespace | undefined, options: Partial<NamespaceOption> = {}): Promise<string> =>
    node.createContainer(of, { security: { namespaceOptions: message(NamespaceOption, { pid: NamespaceMode.CONTAINER, usernsOptions, ...options }) } });
  const other = /config\.linux\.security_context\.namespace_options\.userns_options: it is not what the pod was made with/;

  await assertFails(create(pod, { mode: NamespaceMode.NODE, uids: [], gids: [] }), status.INVALID_ARGUMENT, other);
  await assertFails(create(pod, users(base + 1)), status.INVALID_ARGUMENT, other);
  await assertFails(create(plain, users()), status.INVALID_ARGUMENT, other);
  await assertFails(create(pod, users(), { pid: NamespaceMode.NODE }), status.INVALID_ARGUMENT, /namespace_options\.pid: it cannot be NODE in a pod with a user namespace/);
  const silent = await create(pod, undefined);
  await client.startContainer({ containerId: silent });
  assert.match(await node.sh(silent, 'cat /proc/self/uid_map'), /200000/);
});

userTest('a restarted daemon goes on with such a pod, and takes all of it away', async () => {
  const pod = await runPod();
  const before = await node.runContainer(pod);

  await daemon.kill9();
  await daemon.restart();

  assert.match(await node.sh(before, 'cat /proc/self/uid_map'), /200000/);
  const later = await node.runContainer(pod);
  assert.equal(await node.sh(later, 'stat -c %u /etc/passwd; readlink /proc/self/ns/user'), `0\n${await node.sh(before, 'readlink /proc/self/ns/user')}`);
  await assertRemovalLeavesNothing(daemon);
});

userTest('a daemon that is killed while it makes such pods leaves nothing', async () => {
  for (const delayMs of [5, 15, 30, 60, 120]) {
    const making = Promise.allSettled(Array.from({ length: 3 }, (_, n) => node.runPod({ namespaces: { pid: NamespaceMode.POD, usernsOptions: users(base + n * length) } })
      .then((pod) => node.runContainer(pod))));
    await sleep(delayMs);
    await daemon.kill9();
    await making;
    await daemon.restart();
    await assertRemovalLeavesNothing(daemon);
  }
});

test("no container's user becomes the owner of the node's /dev/null", async () => {
  const pod = await node.runPod();
  const asUser = { security: { runAsUser: { value: 1000n } } };

  const plain = await node.runContainer(pod, asUser);
  await node.runContainer(pod, { ...asUser, config: { tty: true } });
  await node.runContainer(pod, { ...asUser, config: { stdin: true } });
  await node.runContainer(pod, { ...asUser, config: { stdin: true, tty: true } });

  assert.equal(await node.sh(plain, 'id -u; cat; cat < /proc/1/fd/0'), '1000');
  assert.deepEqual([statSync('/dev/null').uid, statSync('/dev/null').gid], [0, 0]);
});

const field = String.raw`config\.linux\.security_context\.namespace_options`;
const refusals: readonly [string, Partial<NamespaceOption>, string][] = [
  ['mode CONTAINER', { usernsOptions: { mode: NamespaceMode.CONTAINER, uids: [], gids: [] } }, `${field}\\.userns_options\\.mode: it can only be POD or NODE`],
  ['mode TARGET', { usernsOptions: { mode: NamespaceMode.TARGET, uids: [], gids: [] } }, `${field}\\.userns_options\\.mode: it can only be POD or NODE`],
  ['two mappings', { usernsOptions: { ...users(), uids: [...range(), ...range()] } }, `${field}\\.userns_options\\.uids: there has to be exactly one mapping, not 2`],
  ["the node's processes", { pid: NamespaceMode.NODE, usernsOptions: users() }, `${field}\\.pid: NODE cannot go with a user namespace`],
];

for (const [what, options, why] of refusals) {
  test(`a user namespace with ${what} is refused and leaves nothing`, async () => {
    await assertRemovalLeavesNothing(daemon);

    await assertFails(node.runPod({ namespaces: options }), status.INVALID_ARGUMENT, new RegExp(why));

    await assertNoTraces(daemon);
  });
}

test("a handler that cannot map mounts says so in the status and refuses such pods; NODE is the same as nothing", async () => {
  const { runtimeHandlers } = await client.status({ verbose: false });
  for (const name of ['crun', 'runc'].filter((handler) => existsSync(`/usr/bin/${handler}`) || existsSync(`/usr/sbin/${handler}`))) {
    const offered = runtimeHandlers.find((handler) => handler.name === name)?.features?.userNamespaces;
    const run = node.runPod({ namespaces: { usernsOptions: users() } }, name);
    if (offered === true) await node.removePod(await run);
    else await assertFails(run, status.FAILED_PRECONDITION, /run pod in a user namespace with handler \w+: \S+ version .* cannot make idmapped mounts: take crun 1\.8\.1 or runc 1\.2, or newer/);
  }

  const pod = await node.runPod({ namespaces: { usernsOptions: { mode: NamespaceMode.NODE, uids: [], gids: [] } } });
  const id = await node.runContainer(pod);
  assert.equal(await node.sh(id, 'cat /proc/self/uid_map'), readFileSync('/proc/self/uid_map', 'utf8').trimEnd());
  assert.equal(await node.sh(id, 'readlink /proc/self/ns/user'), readlinkSync('/proc/self/ns/user'));
  await assertRemovalLeavesNothing(daemon);
});
