/** What meets in a pod with a user namespace: images and VOLUMEs as mounts, CDI, devices by another name, hooks, the time zone, other containers' processes. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { Device, ImageSpec, Mount, NamespaceMode, NamespaceOption, type IDMapping, type UserNamespace } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { busyboxImage, makeImage, pushImage } from '../support/image.ts';
import { assertFails, startWorkload, type WorkloadPod } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'gantry-userns-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const [cdiDir, hooksDir, library] = ['cdi', 'hooks', 'library'].map((name) => path.join(folder, name)) as [string, string, string];
for (const made of [cdiDir, hooksDir, library]) mkdirSync(made, { mode: 0o700 });
const settings = `[cdi]\ndirs = ["${cdiDir}"]\n[hooks]\ndirs = ["${hooksDir}"]\n`;
const hasZone = existsSync('/usr/share/zoneinfo/Asia/Tokyo');

const node = await startWorkload({ config: settings });
after(() => node.stop());
const { daemon, client } = node;

const base = 200_000;
const length = 65_536;
const range = (hostId = base): IDMapping[] => [{ containerId: 0, hostId, length }];
const users: UserNamespace = { mode: NamespaceMode.POD, uids: range(), gids: range() };
const offered = (await client.status({ verbose: false })).runtimeHandlers.find(({ name }) => name === '')?.features?.userNamespaces === true;
const skip = offered ? false : 'this OCI runtime cannot make idmapped mounts';

const runPod = async (options: Partial<NamespaceOption> = {}): Promise<WorkloadPod> => await node.runPod({ namespaces: { usernsOptions: users, ...options } });

const dataName = await pushImage(node.registry, 'test/data:1', makeImage({
  layers: [
    [{ path: 'site', type: 'directory' }, { path: 'site/page', content: 'page\n', mode: 0o600 }, { path: 'site/leaf', content: 'leaf\n', uid: 1000, gid: 1001, mode: 0o640 }],
    [{ path: 'tool', mode: 0o755, content: '#!/bin/sh\necho ran\n' }],
  ],
}));
await node.pull(dataName);
const imageVolume = (change: Partial<Mount> = {}): Mount => message(Mount, { containerPath: '/data', readonly: true, image: message(ImageSpec, { image: dataName }), ...change });

test("an image as a volume shows root's files as root's, to the container's user of that number too, and so do its sub paths", { skip }, async () => {
  const pod = await runPod();
  const id = await node.runContainer(pod, { config: { mounts: [imageVolume(), imageVolume({ containerPath: '/deep', imageSubPath: 'site' }), imageVolume({ containerPath: '/leaf', imageSubPath: 'site/leaf' })] } });

  assert.equal(await node.sh(id, 'stat -c "%u:%g %a" /data /data/site/page /data/site/leaf /deep/page /leaf; cat /data/site/page /deep/leaf; /data/tool'), ['0:0 755', '0:0 600', '1000:1001 640', '0:0 600', '1000:1001 640', 'page', 'leaf', 'ran'].join('\n'));
  assert.notEqual((await client.execSync({ containerId: id, cmd: ['touch', '/data/made'], timeout: 30n })).exitCode, 0);
  const other = await node.runContainer(pod, { config: { mounts: [imageVolume()] }, security: { runAsUser: { value: 1000n } } });
  assert.equal(await node.sh(other, 'cat /data/site/leaf; cat /data/site/page 2>/dev/null || echo refused'), 'leaf\nrefused');
});

test('mappings that come with an image are the pod\'s or are refused', { skip }, async () => {
  const pod = await runPod();
  const own = { uidMappings: range(), gidMappings: range() };
  const id = await node.runContainer(pod, { config: { mounts: [imageVolume(own)] } });
  assert.equal(await node.sh(id, 'stat -c %u:%g /data/site/page'), '0:0');

  const other = { uidMappings: range(base + 1), gidMappings: range(base + 1) };
  await assertFails(node.createContainer(pod, { config: { mounts: [imageVolume(other)] } }), status.INVALID_ARGUMENT, /config\.mounts\[0\]\.uidMappings: an image is shown with the owners that the pod's user namespace gives, and no others/);
});

test("an image's VOLUMEs belong to the pod's users: empty ones to its root, seeded ones as the image says", { skip }, async (t) => {
  const image = await pushImage(node.registry, 'test/declaring:1', busyboxImage({
    config: { Volumes: { '/srv/data': {}, '/fresh/volume': {} } },
    layers: [[{ path: 'srv', type: 'directory' }, { path: 'srv/data', type: 'directory', uid: 1000, gid: 2000, mode: 0o750 }, { path: 'srv/data/seed', content: 'seed\n', uid: 1000, mode: 0o600 }, { path: 'srv/data/tool', content: '', uid: 0, mode: 0o4755 }]],
  }));
  await node.pull(image);
  const look = 'stat -c "%u:%g %a %n" /srv/data /srv/data/seed /srv/data/tool /fresh/volume; stat -c %u /fresh; cat /srv/data/seed; touch /fresh/volume/new && stat -c %u /fresh/volume/new; grep -c " /fresh/volume " /proc/self/mountinfo';
  const seen = (mounts: number): string => ['1000:2000 750 /srv/data', '1000:0 600 /srv/data/seed', '0:0 4755 /srv/data/tool', '0:0 755 /fresh/volume', '0', 'seed', '0', String(mounts)].join('\n');
  const pod = await runPod();

  const id = await node.runContainer(pod, { image });

  assert.equal(await node.sh(id, look), seen(1));
  assert.equal(statSync(path.join(daemon.paths.root, 'containers', id)).mode & 0o777, 0o700, 'what is set-user-ID in there stays out of reach');
  await client.removeContainer({ containerId: id });

  await daemon.stop();
  writeFileSync(daemon.paths.configFile, `${settings}[container]\nimage_volumes = "mkdir"\n`);
  await daemon.restart();
  t.after(async () => {
    writeFileSync(daemon.paths.configFile, settings);
    await daemon.restart();
  });
  assert.equal(await node.sh(await node.runContainer(pod, { image }), `${look} || true`), seen(0));
});

test('what a CDI device mounts has the owners inside that it has on the disk, where its filesystem can; a device node is the one of the spec file', { skip }, async () => {
  writeFileSync(path.join(library, 'secret'), 'of the vendor\n', { mode: 0o600 });
  const device = {
    name: 'one',
    containerEdits: {
      deviceNodes: [{ path: '/dev/gpu0', hostPath: '/dev/fuse', permissions: 'rw' }],
      mounts: [{ hostPath: library, containerPath: '/usr/lib/gpu', options: ['ro', 'nosuid', 'nodev', 'bind'] }, { hostPath: '/sys/kernel', containerPath: '/run/kernel', options: ['ro', 'nosuid', 'nodev', 'noexec', 'rbind'] }],
    },
  };
  writeFileSync(path.join(cdiDir, 'gpu.json'), JSON.stringify({ cdiVersion: '0.7.0', kind: 'test.example/gpu', devices: [device] }));
  const pod = await runPod();

  const id = await node.runContainer(pod, { config: { CDIDevices: [{ name: 'test.example/gpu=one' }] } });

  assert.equal(await node.sh(id, 'cat /usr/lib/gpu/secret; stat -c %u:%g /usr/lib/gpu/secret; ls /run/kernel | grep -c "^profiling$\\|^mm$" > /dev/null && echo there; stat -c "%F %t:%T" /dev/gpu0'), 'of the vendor\n0:0\nthere\ncharacter special file a:e5');
});

test('a device under another name is the device that was asked for, and no other of the node', { skip }, async () => {
  const pod = await runPod();
  const devices = [['/dev/fuse', '/dev/kmsg'], ['/dev/zero', '/dev/nested/of/zero'], ['/dev/fuse', '/dev/fuse']].map(([hostPath, containerPath]) => message(Device, { hostPath, containerPath, permissions: 'rw' }));

  const id = await node.runContainer(pod, { config: { devices } });

  assert.equal(await node.sh(id, 'stat -c "%t:%T" /dev/kmsg /dev/nested/of/zero /dev/fuse; head -c 2 /dev/nested/of/zero | od -An -tx1'), 'a:e5\n1:5\na:e5\n 00 00');
});

test('hooks run as root of the node, whatever namespace the container has; those inside as root of the pod', { skip }, async () => {
  const ran = path.join(folder, 'ran');
  const hook = (name: string, stages: readonly string[], program: object): void => writeFileSync(path.join(hooksDir, `${name}.json`), JSON.stringify({ version: '1.0.0', when: { annotations: { '^hooked$': '^yes$' } }, stages, hook: program }));
  hook('outside', ['createRuntime', 'poststop'], { path: '/bin/sh', args: ['sh', '-c', `cat > /dev/null; id -u >> ${ran}`] });
  hook('inside', ['startContainer'], { path: '/bin/sh', args: ['sh', '-c', 'cat > /dev/null; touch /tmp/from-hook'] });
  const pod = await runPod();

  const id = await node.runContainer(pod, { config: { annotations: { hooked: 'yes' } } });

  assert.equal(readFileSync(ran, 'utf8'), '0\n');
  assert.equal(await node.sh(id, 'stat -c %u /tmp/from-hook'), '0');
  await client.removeContainer({ containerId: id });
  assert.equal(readFileSync(ran, 'utf8'), '0\n0\n');
});

test('the time zone of the node is there as well', { skip: skip || (hasZone ? false : 'this machine has no zoneinfo') }, async (t) => {
  writeFileSync(daemon.paths.configFile, `${settings}[container]\ntimezone = "Asia/Tokyo"\n`);
  await daemon.restart();
  t.after(async () => {
    writeFileSync(daemon.paths.configFile, settings);
    await daemon.restart();
  });

  const id = await node.runContainer(await runPod());

  assert.equal(await node.sh(id, 'date +%Z; (: > /etc/localtime) 2>/dev/null || echo refused'), 'JST\nrefused');
});

test("a debug container sees the processes of its target, and may enter what is that container's", { skip }, async () => {
  const pod = await runPod();
  const target = await node.runContainer(pod, { command: ['sleep', '10001'] });
  const namespaceOptions = message(NamespaceOption, { pid: NamespaceMode.TARGET, targetId: target, usernsOptions: users });

  const id = await node.runContainer(pod, { security: { namespaceOptions } });

  assert.equal(await node.sh(id, 'tr "\\0" " " < /proc/1/cmdline; cat /proc/1/root/etc/hostname > /dev/null && echo; stat -c %u /proc/1'), 'sleep 10001 \n0');
  await client.stopContainer({ containerId: target, timeout: 0n });
});

test('of all this nothing is left', async () => {
  await assertRemovalLeavesNothing(daemon);
});
