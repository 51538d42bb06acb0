/** What a process finds inside its container: standard streams, environment, user, files, mounts, devices, rights. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { Capability, Device, Mount, MountPropagation, SecurityProfile, SecurityProfile_ProfileType } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { hostVolumes } from '../support/host-volumes.ts';
import { busyboxImage, pushImage } from '../support/image.ts';
import { assertFails, startWorkload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';
import { onHost } from '../support/on-host.ts';

const node = await startWorkload();
after(() => node.stop());
const pod = await node.runPod();
const { root: shared, make: volume } = hostVolumes(node.daemon.paths.dir);

const env = (variables: Record<string, string>) => Object.entries(variables).map(([key, value]) => ({ key, value: Buffer.from(value) }));
const mount = (fields: Partial<Mount>) => ({ mounts: [message(Mount, fields)] });

test('without stdin a process reads nothing, and has no other open files of ours', async () => {
  const id = await node.runContainer(pod);

  assert.equal(await node.sh(id, 'cat /proc/1/fd/0 | wc -c'), '0');
  // crun gives its standard streams to the container's user: the node's own /dev/null must not be among them (without-dev-null.ts).
  assert.match(await node.sh(id, 'readlink /proc/1/fd/0'), (process.env.RUNTIME ?? 'crun') === 'crun' ? /^pipe:/ : /^\/dev\/null$/);
  assert.deepEqual((await node.sh(id, 'ls /proc/1/fd')).split(/\s+/), ['0', '1', '2']);
});

test('command, arguments, environment and directory: the container says, else the image', async () => {
  const config = { Entrypoint: ['echo', 'entry'], Cmd: ['cmd'], Env: ['PATH=/bin', 'FROM=image', 'BOTH=image'], WorkingDir: '/home' };
  const image = await pushImage(node.registry, 'test/defaults:1', busyboxImage({ config }));
  await node.pull(image);

  assert.equal(await node.outputOf(pod, { image, command: [] }), 'entry cmd\n');
  assert.equal(await node.outputOf(pod, { image, command: [], args: ['args'] }), 'entry args\n');
  assert.equal(await node.outputOf(pod, { image, script: 'pwd; echo $FROM $BOTH $OWN', config: { envs: env({ BOTH: 'container', OWN: 'a b' }) } }), '/home\nimage container a b\n');
  assert.equal(await node.outputOf(pod, { image, script: 'pwd', config: { workingDir: '/made/on/demand' } }), '/made/on/demand\n');
});

test('users are found in the image: by number, by name, with their groups', async () => {
  const ids = 'id -u; id -g; id -G; echo $HOME';

  assert.equal(await node.outputOf(pod, { script: ids }), '0\n0\n0\n/root\n');
  assert.equal(await node.outputOf(pod, { script: ids, security: { runAsUser: { value: 1000n } } }), '1000\n1000\n1000 2000\n/home/app\n');
  assert.equal(await node.outputOf(pod, { script: ids, security: { runAsUsername: 'app' } }), '1000\n1000\n1000 2000\n/home/app\n');
  assert.equal(await node.outputOf(pod, { script: ids, security: { runAsUser: { value: 1000n }, runAsGroup: { value: 3000n }, supplementalGroups: [4000n] } }), '1000\n3000\n2000 3000 4000\n/home/app\n'.replace('2000 3000 4000', await groupsOf()));
  await assertFails(node.createContainer(pod, { security: { runAsUsername: 'ghost' } }), status.FAILED_PRECONDITION, /ghost/);
});

/** The order of groups is the kernel's own business. */
async function groupsOf(): Promise<string> {
  const text = await node.outputOf(pod, { script: 'id -G', security: { runAsUser: { value: 1000n }, runAsGroup: { value: 3000n }, supplementalGroups: [4000n] } });
  assert.deepEqual(text.trim().split(' ').map(Number).sort((a, b) => a - b), [2000, 3000, 4000]);
  return text.trim();
}

test('a read-only root cannot be written, its /dev/shm and volumes can', async () => {
  const hostPath = volume('beside');
  const script = 'touch /x 2>/dev/null || echo refused; touch /dev/shm/x /data/x && echo written';

  const written = await node.outputOf(pod, { script, security: { readonlyRootfs: true }, config: mount({ hostPath, containerPath: '/data' }) });

  assert.equal(written, 'refused\nwritten\n');
});

test('what a container writes into its root is its own: the next one of the image does not see it', async () => {
  const first = await node.runContainer(pod);
  await node.sh(first, 'echo changed > /etc/passwd; rm /bin/vi; touch /new');

  assert.match(await node.outputOf(pod, { script: 'head -1 /etc/passwd; ls /bin/vi; ls /new 2>&1' }), /^root:.*\n\/bin\/vi\nls: \/new: No such file/);
});

test('a volume is mounted, read-only where it says so', async () => {
  const hostPath = volume('plain');
  const script = 'cat /data/file; echo more >> /data/file || echo refused';

  assert.equal(await node.outputOf(pod, { script, config: mount({ hostPath, containerPath: '/data' }) }), 'plain\n');
  assert.equal(await node.outputOf(pod, { script: `(${script}) 2>/dev/null`, config: mount({ hostPath, containerPath: '/data', readonly: true }) }), 'plain\nmore\nrefused\n');
  assert.equal(readFileSync(path.join(hostPath, 'file'), 'utf8'), 'plain\nmore\n');
});

test('a single file is mounted over a path that the image does not have', async () => {
  const hostPath = path.join(volume('single'), 'file');

  assert.equal(await node.outputOf(pod, { script: 'cat /etc/app/settings', config: mount({ hostPath, containerPath: '/etc/app/settings' }) }), 'single\n');
});

test('a volume over a symlink of the image stays within the container', async () => {
  const outside = path.join(shared, 'outside');
  mkdirSync(outside);
  const image = await pushImage(node.registry, 'test/link:1', busyboxImage({ layers: [[{ path: outside.slice(1), type: 'directory' }, { path: 'data', type: 'symlink', link: outside }]] }));
  await node.pull(image);
  const hostPath = volume('linked');

  const seen = await node.outputOf(pod, { image, script: 'cat /data/file', config: mount({ hostPath, containerPath: '/data' }) });

  assert.equal(seen, 'linked\n');
  assert.ok(!existsSync(path.join(outside, 'file')));
});

test('a volume whose path on the node is a symlink is what it points to', async () => {
  const hostPath = path.join(shared, 'alias');
  symlinkSync(volume('target'), hostPath);

  assert.equal(await node.outputOf(pod, { script: 'cat /data/file', config: mount({ hostPath, containerPath: '/data' }) }), 'target\n');
});

test('mounts made on the node later appear in the container only where propagation says so; those it makes itself come out only with Bidirectional', async (t) => {
  const hostPath = volume('propagating');
  onHost('mount', '--bind', hostPath, hostPath);
  onHost('mount', '--make-rshared', hostPath);
  t.after(() => spawnSync('umount', ['-R', '-l', hostPath]));
  for (const name of ['late', 'own']) mkdirSync(path.join(hostPath, name));
  const running = (propagation: MountPropagation) => node.runContainer(pod, {
    security: { privileged: true }, config: mount({ hostPath, containerPath: '/data', propagation }),
  });
  const [apart, slave, both] = [await running(MountPropagation.PROPAGATION_PRIVATE), await running(MountPropagation.PROPAGATION_HOST_TO_CONTAINER), await running(MountPropagation.PROPAGATION_BIDIRECTIONAL)];

  onHost('mount', '-t', 'tmpfs', 'none', path.join(hostPath, 'late'));
  writeFileSync(path.join(hostPath, 'late/seen'), '');

  assert.equal(await node.sh(apart, 'ls /data/late'), '');
  assert.equal(await node.sh(slave, 'ls /data/late'), 'seen');
  assert.equal(await node.sh(both, 'ls /data/late'), 'seen');
  await node.sh(slave, 'mount -t tmpfs none /data/own && touch /data/own/hidden');
  assert.ok(!existsSync(path.join(hostPath, 'own/hidden')));
  await node.sh(both, 'mount -t tmpfs none /data/own && touch /data/own/shown');
  assert.ok(existsSync(path.join(hostPath, 'own/shown')));
});

test('a volume that is not there, or would cover the root, is refused', async () => {
  const creating = (fields: Partial<Mount>) => node.createContainer(pod, { config: mount(fields) });

  await assertFails(creating({ hostPath: path.join(shared, 'absent'), containerPath: '/data' }), status.FAILED_PRECONDITION, /volumes\/absent/);
  await assertFails(creating({ hostPath: shared, containerPath: '/' }), status.INVALID_ARGUMENT, /the root itself cannot be mounted over/);
  await assertFails(creating({ hostPath: 'relative', containerPath: '/data' }), status.INVALID_ARGUMENT, /host_path/);
});

test('capabilities are the usual ones, less and more as asked, and the inheritable set is empty', async () => {
  const script = 'grep -E "Cap(Inh|Eff)" /proc/self/status';
  const capabilities = (fields: Partial<Capability>) => ({ script, security: { capabilities: message(Capability, fields) } });

  assert.match(await node.outputOf(pod, { script }), /CapInh:\t0{16}\nCapEff:\t00000000a80425fb/);
  assert.match(await node.outputOf(pod, capabilities({ dropCapabilities: ['ALL'] })), /CapEff:\t0{16}/);
  assert.match(await node.outputOf(pod, capabilities({ dropCapabilities: ['ALL'], addCapabilities: ['NET_ADMIN'] })), /CapInh:\t0{16}\nCapEff:\t0000000000001000/);
});

test('an ordinary container cannot reach the kernel: masked and read-only paths, no new privileges, seccomp', async () => {
  const script = `cat /proc/keys /proc/timer_list | wc -c; echo 1 2>/dev/null > /proc/sys/kernel/sysrq || echo ro;
    mount -t tmpfs none /home 2>/dev/null || echo no mount; grep -E "NoNewPrivs|Seccomp:" /proc/self/status`;

  // What the kubelet sends with the default of its `procMount` and RuntimeDefault for seccomp.
  const security = { noNewPrivs: true, maskedPaths: ['/proc/keys', '/proc/timer_list'], readonlyPaths: ['/proc/sys'], seccomp: message(SecurityProfile, { profileType: SecurityProfile_ProfileType.RuntimeDefault }) };

  const seen = await node.outputOf(pod, { script, security });

  assert.equal(seen, '0\nro\nno mount\nNoNewPrivs:\t1\nSeccomp:\t2\n');
});

test('a privileged container has all that the daemon has: capabilities, devices, a writable /sys', async () => {
  const own = /CapBnd:\s+(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];

  // A pod of its own: where an ordinary container came first, runc has made the sysfs of their network namespace read-only for all.
  const seen = await node.outputOf(await node.runPod(), { script: 'grep CapEff /proc/self/status; ls /dev | wc -l; grep " /sys sysfs" /proc/mounts; mkdir /mnt; mount -t tmpfs none /mnt && echo mounted', security: { privileged: true } });

  assert.match(seen, new RegExp(`^CapEff:\t${own}\n\\d+\nsysfs /sys sysfs rw,.*\nmounted\n$`));
  const ordinary = await node.outputOf(pod, { script: 'ls /dev | wc -l' });
  assert.ok(Number(seen.split('\n')[1]) > Number(ordinary), 'the devices of the node are there');
});

test('a device that was asked for can be used, within its permissions', async () => {
  const script = 'ls -l /dev/mine | cut -c1; (: > /dev/mine) 2>/dev/null && echo opened || echo refused';
  const kernelLog = (permissions: string) => ({ devices: [message(Device, { hostPath: '/dev/kmsg', containerPath: '/dev/mine', permissions })] });

  assert.equal(await node.outputOf(pod, { script, config: kernelLog('rw') }), 'c\nopened\n');
  assert.equal(await node.outputOf(pod, { script, config: kernelLog('r') }), 'c\nrefused\n');
});

test('of all these containers nothing is left once the pods are removed', () => assertRemovalLeavesNothing(node.daemon));
