/** Volumes as a container finds them: host paths of every sort, propagation, read-only all the way down, mount options, images, VOLUMEs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import type { TestContext } from 'node:test';
import { status } from '@grpc/grpc-js';
import { ImageSpec, Mount, MountPropagation } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { hostVolumes } from '../support/host-volumes.ts';
import { busyboxImage, makeImage, pushImage } from '../support/image.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';
import type { WorkloadContainer } from '../support/workload.ts';
import { assertNoTraces, assertRemovalLeavesNothing, tracesOf } from '../support/workload-traces.ts';
import { onHost } from '../support/on-host.ts';

const node = await startWorkload();
after(() => node.stop());
const pod = await node.runPod();
const { root: shared, make: volume } = hostVolumes(node.daemon.paths.dir);

const dataImage = makeImage({
  layers: [
    [
      { path: 'site', type: 'directory' }, { path: 'site/page', content: 'old\n' }, { path: 'site/deep', type: 'directory' }, { path: 'site/deep/leaf', content: 'leaf\n', uid: 1000, mode: 0o640 },
      { path: 'gone', content: '' }, { path: 'inside', type: 'symlink', link: '/site/deep' }, { path: 'out', type: 'symlink', link: '/etc' },
      { path: 'up', type: 'symlink', link: '../../../../../../../../etc' }, { path: 'circle', type: 'symlink', link: 'circle' }, { path: 'pipe', type: 'fifo' },
    ],
    [{ path: 'site/page', content: 'new\n' }, { path: '.wh.gone' }, { path: 'tool', mode: 0o755, content: '#!/bin/sh\necho ran\n' }],
  ],
});
const dataName = await pushImage(node.registry, 'test/data:1', dataImage);
const dataRef = await node.pull(dataName);

const declaring = busyboxImage({
  config: { Volumes: { '/srv/data': {}, '/fresh': {}, '/link/volume': {}, '/proc/sys': {} } },
  layers: [[
    { path: 'srv', type: 'directory' }, { path: 'srv/data', type: 'directory', uid: 1000, gid: 2000, mode: 0o750 }, { path: 'srv/data/seed', content: 'seed\n', uid: 1000, mode: 0o600 },
    { path: `${shared.slice(1)}/declared`, type: 'directory' }, { path: 'link', type: 'symlink', link: `${'../'.repeat(30)}${shared.slice(1)}/declared` },
  ]],
});
mkdirSync(path.join(shared, 'declared'));
const declaringName = await pushImage(node.registry, 'test/declaring:1', declaring);
await node.pull(declaringName);

const { PROPAGATION_BIDIRECTIONAL: bidirectional, PROPAGATION_HOST_TO_CONTAINER: hostToContainer } = MountPropagation;
const volumes = (...mounts: Partial<Mount>[]): WorkloadContainer => ({ config: { mounts: mounts.map((fields) => message(Mount, { containerPath: '/data', ...fields })) } });

/** A folder that is a mount of its own, taken away after the test. */
function mountedVolume(t: TestContext, name: string, ...how: string[]): string {
  const folder = path.join(shared, name);
  mkdirSync(folder);
  onHost('mount', ...(how.length === 0 ? ['--bind', folder] : how), folder);
  t.after(() => spawnSync('umount', ['-R', '-l', folder]));
  return folder;
}

/** What the call leaves behind when it fails is nothing that was not there before. */
async function assertRefused(options: WorkloadContainer, code: status, pattern: RegExp, where = pod): Promise<void> {
  const traces = (): string[] => tracesOf(node.daemon).filter((trace) => /^(file [rs]\/containers\/|mount )/.test(trace));
  const before = traces();
  await assertFails(node.createContainer(where, options), code, pattern);
  assert.deepEqual(traces().filter((trace) => !before.includes(trace)), []);
}

/** Gives the running daemon another configuration until the test ends. */
async function configured(t: TestContext, toml: string): Promise<void> {
  const reload = async (text: string): Promise<void> => {
    const reloads = (): number => node.daemon.log().split('configuration reloaded').length;
    const before = reloads();
    writeFileSync(node.daemon.paths.configFile, text);
    process.kill(node.daemon.pid, 'SIGHUP');
    await eventually(() => assert.ok(reloads() > before, 'not reloaded yet'));
  };
  await reload(toml);
  t.after(() => reload(''));
}

test('whatever is at a host path can be mounted: a directory, a file, a device, a socket, by whichever symlink', async (t) => {
  const folder = volume('sorts');
  symlinkSync(folder, path.join(shared, 'alias'));
  symlinkSync('../sorts/file', path.join(folder, 'link'));
  const server = createServer().listen(path.join(folder, 'socket'));
  t.after(() => server.close());
  const places = volumes(
    { hostPath: path.join(shared, 'alias/.'), containerPath: '/data/' },
    { hostPath: path.join(shared, 'alias/link'), containerPath: '/etc/app.conf' },
    { hostPath: '/dev/zero', containerPath: '/run/zero' },
    { hostPath: path.join(folder, 'socket'), containerPath: '/run/socket' },
  );

  const seen = await node.outputOf(pod, { ...places, script: 'cat /data/file /etc/app.conf; head -c 3 /run/zero | od -An -tx1; test -S /run/socket && echo socket' });

  assert.equal(seen, 'sorts\nsorts\n 00 00 00\nsocket\n');
});

test('a host path that is not there is refused, or made as a directory where the node is configured so', async (t) => {
  const hostPath = path.join(shared, 'made/on/demand');
  symlinkSync('nowhere', path.join(shared, 'dangling'));

  await assertRefused(volumes({ hostPath: '/dev/null' }, { hostPath, containerPath: '/more' }), status.FAILED_PRECONDITION, /check config\.mounts\[1\]\.host_path: this node has no .*\/made\/on\/demand: make it, or correct the path$/);
  await assertRefused(volumes({ hostPath: path.join(shared, 'dangling') }), status.FAILED_PRECONDITION, /config\.mounts\[0\]\.host_path: this node has no .*\/dangling/);
  assert.equal(existsSync(path.join(shared, 'made')), false);

  await configured(t, '[container]\ncreate_missing_host_paths = true\n');

  assert.equal(await node.outputOf(pod, { ...volumes({ hostPath }), script: 'touch /data/new && ls /data' }), 'new\n');
  assert.equal(statSync(hostPath).mode & 0o7777, 0o755);
  await assertRefused(volumes({ hostPath: path.join(volume('blocked'), 'file/below') }), status.FAILED_PRECONDITION, /config\.mounts\[0\]\.host_path: .*ENOTDIR/);
});

test('propagation is refused where the mount on the node does not take part', async (t) => {
  const hostPath = mountedVolume(t, 'propagation');
  onHost('mount', '--make-private', hostPath);
  mkdirSync(path.join(hostPath, 'sub'));
  const wanting = (propagation: MountPropagation) => volumes({ hostPath: path.join(hostPath, 'sub'), propagation });

  await assertRefused(wanting(hostToContainer), status.FAILED_PRECONDITION, /config\.mounts\[0\]\.propagation: \S+\/sub has to be on a shared or slave mount, but \S+\/propagation is private on this node: mount --make-rshared \S+\/propagation$/);
  await assertRefused(wanting(bidirectional), status.FAILED_PRECONDITION, /\S+\/sub has to be on a shared mount, but \S+\/propagation is private/);

  onHost('mount', '--make-shared', hostPath);
  await node.createContainer(pod, wanting(bidirectional));
  const slave = mountedVolume(t, 'slave', '--bind', hostPath);
  onHost('mount', '--make-slave', slave);
  await node.createContainer(pod, volumes({ hostPath: slave, propagation: hostToContainer }));
  await assertRefused(volumes({ hostPath: slave, propagation: bidirectional }), status.FAILED_PRECONDITION, /\S+\/slave is a slave on this node/);
});

test('read-only leaves what is mounted below writable, recursively read-only does not', async (t) => {
  const hostPath = volume('nested');
  mkdirSync(path.join(hostPath, 'below'));
  mountedVolume(t, 'nested/deep', '-t', 'tmpfs', 'none');
  const script = 'for file in /data/new /data/deep/new; do (: > $file) 2>/dev/null && echo written || echo refused; done';

  assert.equal(await node.outputOf(pod, { ...volumes({ hostPath, readonly: true }), script }), 'refused\nwritten\n');
  assert.equal(await node.outputOf(pod, { ...volumes({ hostPath, readonly: true, recursiveReadOnly: true }), script }), 'refused\nrefused\n');
});

test('recursively read-only is refused for a runtime that does not know it, and the status says which do', async (t) => {
  const program = path.join(node.daemon.paths.dir, 'old-runtime');
  writeFileSync(program, `#!/bin/sh\ncase "$*" in *features) echo '{"mountOptions":["ro"]}'; exit;; esac\nexec /usr/bin/${process.env['RUNTIME'] ?? 'crun'} "$@"\n`, { mode: 0o755 });
  await configured(t, `[runtime.handlers.crun]\npath = "/usr/bin/crun"\n[runtime.handlers.runc]\npath = "/usr/bin/runc"\n[runtime.handlers.old]\npath = "${program}"\n`);
  const old = await node.runPod({}, 'old');
  const asked = volumes({ hostPath: volume('old'), readonly: true, recursiveReadOnly: true });

  await assertRefused(asked, status.UNKNOWN, /^RROUnsupported: .*mount read-only recursively \/data: the runtime handler old cannot; crun from 1\.4 and runc from 1\.1 can$/, old);

  const { runtimeHandlers, features } = await node.client.status();
  const able = (name: string): boolean | undefined => runtimeHandlers.find((handler) => handler.name === name)?.features?.recursiveReadOnlyMounts;
  assert.deepEqual([able(''), able('old'), features?.mountOptions], [true, false, true]);
  await node.removePod(old);
});

test('noexec, nodev and nosuid hold, alone and with every sort of read-only, on disk and in memory', async (t) => {
  for (const memory of [false, true]) {
    const hostPath = memory ? mountedVolume(t, 'options-memory', '-t', 'tmpfs', 'none') : mountedVolume(t, 'options-disk');
    copyFileSync('/bin/busybox', path.join(hostPath, 'busybox'));
    chmodSync(path.join(hostPath, 'busybox'), 0o4755);
    onHost('mknod', '-m', '666', path.join(hostPath, 'null'), 'c', '1', '3');
    const script = `/data/busybox true 2>/dev/null && echo runs || echo noexec
      cat /data/null 2>/dev/null && echo opens || echo nodev
      case "$(/data/busybox su -c true 2>&1 < /dev/null)" in *"must be suid"*) echo nosuid;; *"ermission denied"*) ;; *) echo gains; esac
      (: > /data/new) 2>/dev/null && echo written || echo ro`;
    const seen = (fields: Partial<Mount>) => node.outputOf(pod, { ...volumes({ hostPath, ...fields }), script, security: { runAsUser: { value: 1000n } } });
    chmodSync(hostPath, 0o777);

    assert.equal(await seen({}), 'runs\nopens\ngains\nwritten\n');
    assert.equal(await seen({ mountOptions: ['nosuid'] }), 'runs\nopens\nnosuid\nwritten\n');
    assert.equal(await seen({ mountOptions: ['nodev', 'nosuid'], readonly: true }), 'runs\nnodev\nnosuid\nro\n');
    assert.equal(await seen({ mountOptions: ['noexec', 'nodev'], readonly: true, recursiveReadOnly: true }), 'noexec\nnodev\nro\n');
    assert.equal(await seen({ mountOptions: ['noexec', 'nodev', 'nosuid'] }), 'noexec\nnodev\nwritten\n');
  }
});

test('of two volumes for one path the later is on top; one below another is in it, whatever their order', async () => {
  const [first, second, inner] = [volume('first'), volume('second'), volume('inner')];
  mkdirSync(path.join(second, 'inner'));

  const seen = await node.outputOf(pod, { ...volumes({ hostPath: inner, containerPath: '/data/inner' }, { hostPath: first }, { hostPath: second }), script: 'cat /data/file /data/inner/file' });

  assert.equal(seen, 'second\ninner\n');
});

test('a path that an image makes lead out of its root is mounted inside it', async () => {
  const outside = path.join(shared, 'outside');
  mkdirSync(outside);
  const up = path.join('../'.repeat(30), outside);
  const image = await pushImage(node.registry, 'test/escape:1', busyboxImage({ layers: [[{ path: outside.slice(1), type: 'directory' }, { path: 'absolute', type: 'symlink', link: outside }, { path: 'relative', type: 'symlink', link: up }]] }));
  await node.pull(image);
  const hostPath = volume('inside');

  const seen = await node.outputOf(pod, { image, ...volumes({ hostPath, containerPath: '/absolute/a' }, { hostPath, containerPath: '/relative/b' }), script: `cat ${outside}/a/file ${outside}/b/file` });

  assert.equal(seen, 'inside\ninside\n');
  assert.deepEqual(readdirSync(outside), []);
});

const imageVolume = (fields: Partial<Mount> = {}, image = dataName): Partial<Mount> => ({ readonly: true, image: message(ImageSpec, { image, userSpecifiedImage: dataName }), ...fields });

test('an image is mounted as a volume: its layers merged, read-only, programs run, under whatever name it is known', async () => {
  const digest = `${node.registry.host}/test/data@${dataImage.top.digest}`;
  const script = 'cat /data/site/page; ls /data; /data/tool; (echo x > /data/site/page) 2>&1 | grep -o "Read-only file system"; stat -c "%u %a" /data/site/deep/leaf';

  for (const name of [dataName, digest, dataRef, dataRef.replace('sha256:', '')]) {
    assert.equal(await node.outputOf(pod, { ...volumes(imageVolume({}, name)), script }), 'new\ncircle\ninside\nout\npipe\nsite\ntool\nup\nran\nRead-only file system\n1000 640\n', name);
  }
  assert.equal(await node.outputOf(pod, { ...volumes(imageVolume({ mountOptions: ['noexec'], recursiveReadOnly: true })), script: '/data/tool 2>/dev/null || cat /data/site/page' }), 'new\n');
});

test('a part of an image is mounted, a directory or a file, and its symlinks lead nowhere else', async () => {
  const seen = (imageSubPath: string, script: string) => node.outputOf(pod, { ...volumes(imageVolume({ imageSubPath })), script });

  assert.equal(await seen('site/deep', 'cat /data/leaf'), 'leaf\n');
  assert.equal(await seen('inside/', 'cat /data/leaf'), 'leaf\n');
  assert.equal(await seen('site/page', 'cat /data'), 'new\n');

  for (const [imageSubPath, why] of [
    ['absent', 'the image has nothing there'], ['site/page/below', 'the image has nothing there'], ['out', 'the image has nothing there'], ['up/hostname', 'the image has nothing there'],
    ['circle', 'its symlinks go in a circle'], ['pipe', 'it is neither a directory nor a file'],
  ] as const) {
    await assertRefused(volumes(imageVolume({ imageSubPath })), status.UNKNOWN, new RegExp(`^ImageVolumeMountFailed: .*mount image volume \\S+/test/data:1: find image_sub_path "${imageSubPath}": ${why}$`));
  }
  await assertRefused(volumes(imageVolume({ imageSubPath: '../etc' })), status.INVALID_ARGUMENT, /config\.mounts\[0\]\.image_sub_path: "\/\.\.\/etc" has an element \.\./);
});

test('an image that is not on the node, or is to be written, is refused as a volume', async () => {
  const absent = message(ImageSpec, { image: 'registry.example/absent:1' });

  await assertRefused(volumes(imageVolume({ image: absent })), status.UNKNOWN, /^ImageVolumeMountFailed: .*mount image volume registry\.example\/absent:1: find image registry\.example\/absent:1: it is not on this node: pull it first$/);
  await assertRefused(volumes(imageVolume({ readonly: false })), status.INVALID_ARGUMENT, /config\.mounts\[0\]\.readonly: an image can only be mounted read-only/);
  await assertRefused(volumes(imageVolume({ hostPath: '/srv' })), status.INVALID_ARGUMENT, /config\.mounts\[0\]\.host_path: it is one or the other/);
});

test('an image that is mounted stays while a container has it, through a killed daemon too, and the status tells its id', async () => {
  const other = await node.runPod();
  const name = await pushImage(node.registry, 'test/kept:1', makeImage({ layers: [[{ path: 'kept/file', content: 'kept\n' }]] }));
  const id = await node.pull(name);
  const containerId = await node.runContainer(other, volumes(imageVolume({}, name), imageVolume({ containerPath: '/deep', imageSubPath: 'kept' }, id)));
  const removing = () => node.client.removeImage({ image: message(ImageSpec, { image: name }) });

  const { mounts } = await node.statusOf(containerId);
  assert.deepEqual(mounts.map((mount) => [mount.containerPath, mount.hostPath, mount.image?.image, mount.image?.imageRef]), [['/data', '', name, id], ['/deep', '', id, id]]);
  await assertFails(removing(), status.FAILED_PRECONDITION, new RegExp(`in use by container ${containerId}`));

  await node.daemon.kill9();
  await node.daemon.restart();

  assert.equal(await node.sh(containerId, 'cat /data/kept/file /deep/file'), 'kept\nkept');
  await assertFails(removing(), status.FAILED_PRECONDITION, /in use by container/);
  assert.equal((await node.statusOf(containerId)).mounts[0]?.image?.imageRef, id);
  await node.client.removeContainer({ containerId });
  await removing();
  assert.deepEqual(tracesOf(node.daemon).filter((trace) => trace.includes(containerId)), []);
  await node.removePod(other);
});

const inVolumes = `stat -c "%u %g %a %n" /srv/data /srv/data/seed /fresh 2>/dev/null; cat /srv/data/seed
  for folder in /srv/data /fresh /link/volume; do (: > $folder/new) 2>/dev/null && echo written || echo refused; done; grep -c " /srv/data " /proc/self/mountinfo`;

test("an image's VOLUMEs are directories of the container's own, with what the image has there, writable where the root is not", async () => {
  const run = () => node.runContainer(pod, { image: declaringName, security: { readonlyRootfs: true } });
  const [one, other] = [await run(), await run()];

  for (const id of [one, other]) assert.equal(await node.sh(id, inVolumes), '1000 2000 750 /srv/data\n1000 0 600 /srv/data/seed\n0 0 755 /fresh\nseed\nwritten\nwritten\nwritten\n1');
  assert.equal(await node.sh(one, 'echo changed > /srv/data/seed; ls /srv/data'), 'new\nseed');
  assert.equal(await node.sh(other, 'cat /srv/data/seed'), 'seed');
  assert.deepEqual(readdirSync(path.join(shared, 'declared')), [], 'the path led nowhere else');

  const data = path.join(node.daemon.paths.root, 'containers', one);
  assert.ok(existsSync(data));
  await node.client.removeContainer({ containerId: one });
  assert.equal(existsSync(data), false);
});

test("what the pod mounts on a VOLUME's path is there instead", async () => {
  const hostPath = volume('instead');

  assert.equal(await node.outputOf(pod, { image: declaringName, ...volumes({ hostPath, containerPath: '/srv/./data' }), script: 'ls /srv/data; cat /srv/data/file' }), 'file\ninstead\n');
});

test('VOLUMEs can be plain directories of the root, or left alone', async (t) => {
  await configured(t, '[container]\nimage_volumes = "mkdir"\n');
  assert.equal(await node.outputOf(pod, { image: declaringName, script: inVolumes }), '1000 2000 750 /srv/data\n1000 0 600 /srv/data/seed\n0 0 755 /fresh\nseed\nwritten\nwritten\nwritten\n0\n');
  assert.equal(await node.outputOf(pod, { image: declaringName, script: inVolumes, security: { readonlyRootfs: true } }), '1000 2000 750 /srv/data\n1000 0 600 /srv/data/seed\n0 0 755 /fresh\nseed\nrefused\nrefused\nrefused\n0\n');
  assert.deepEqual(readdirSync(path.join(shared, 'declared')), []);

  await configured(t, '[container]\nimage_volumes = "ignore"\n');
  assert.equal(await node.outputOf(pod, { image: declaringName, script: inVolumes }), '1000 2000 750 /srv/data\n1000 0 600 /srv/data/seed\nseed\nwritten\nrefused\nrefused\n0\n');
});

test('a VOLUME that cannot be one is refused', async () => {
  for (const [name, volumePath, why] of [['file', '/etc/passwd', /VOLUME \/etc\/passwd: .*the image has a file there, not a directory/], ['dots', '/srv/../../x', /VOLUME "\/srv\/\.\.\/\.\.\/x": it is not a path in the container/]] as const) {
    const image = await pushImage(node.registry, `test/volume-${name}:1`, busyboxImage({ config: { Volumes: { [volumePath]: {} } } }));
    await node.pull(image);

    await assertRefused({ image }, status.FAILED_PRECONDITION, why);
  }
});

test('of all these containers nothing is left once the pods are removed', async () => {
  await assertRemovalLeavesNothing(node.daemon);
  await assertNoTraces(node.daemon);
  if (process.env['RUNTIME'] !== 'runsc') assert.ok(lstatSync(path.join(shared, 'sorts')).isDirectory(), "the node's own folders stay");
  assert.equal(readFileSync(path.join(shared, 'instead/file'), 'utf8'), 'instead\n');
});
