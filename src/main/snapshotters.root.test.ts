/** The engine with roots that are copies: where overlayfs cannot be used, before and after the driver is switched, and killed in mid-copy. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { message } from '../../test/support/cri-messages.ts';
import { busyboxImage } from '../../test/support/image.ts';
import type { TestEntry } from '../../test/support/image.ts';
import { createLogWriter } from '../base/log-writer.ts';
import { ContainerConfig, ImageSpec, Mount, NamespaceMode, PodSandboxConfig } from '../gen/cri.ts';
import { libc, MNT_DETACH } from '../host/libc.ts';
import { spawn } from '../host/spawn.ts';
import type { CrashRequest } from './crash.fake.ts';
import { call, EngineBed, eventually, skipEngine } from './engine-bed.fake.ts';

const skip = skipEngine !== false ? skipEngine : process.env['RUNTIME'] === 'runc' && 'the runtime makes no difference here: crun does it';

/** Deletions of all kinds, and so many files that a copy can be interrupted. */
const upperLayers: readonly (readonly TestEntry[])[] = [
  [{ path: 'data', type: 'directory' }, { path: 'data/old' }, { path: 'gone' }, { path: 'folder/old' }, ...Array.from({ length: 800 }, (_, n): TestEntry => ({ path: `many/f${n}` }))],
  [{ path: 'data/.wh..wh..opq' }, { path: 'data/new', content: 'new', uid: 1000 }, { path: '.wh.gone' }, { path: '.wh.folder' }, { path: 'folder/new' }],
];

let bed: EngineBed;
before(async () => {
  if (skip === false) bed = await EngineBed.open(onOverlay, busyboxImage({ layers: upperLayers, config: { Volumes: { '/data': {} } } }));
});
after(async () => {
  if (skip !== false) return;
  const { root } = bed.config;
  await bed.removeAllPods();
  await bed.stop();
  libc.umount2(root, MNT_DETACH);
  await bed.dispose();
});

/** The kernel has no writable overlay on an overlay, and refuses deletions as overlayfs marks them. */
function onOverlay(config: EngineBed['config']): EngineBed['config'] {
  const [lower, upper, work] = ['lower', 'upper', 'work'].map((name) => `${config.root}-${name}`);
  for (const folder of [lower!, upper!, work!]) mkdirSync(folder, { mode: 0o711 });
  libc.mount('overlay', config.root, 'overlay', 0, `lowerdir=${lower},upperdir=${upper},workdir=${work}`);
  return config;
}

const range = [{ containerId: 0, hostId: 200_000, length: 65_536 }];

test('where overlayfs cannot be used, roots, views and volumes are copies; with mapped owners for a pod with a user namespace', { skip, timeout: 60_000 }, async () => {
  const { info, handlers } = await bed.engine.node.status(true);
  const snapshotter = JSON.parse(info['snapshotter']!) as { driver: string; fallback: string };
  assert.equal(snapshotter.driver, 'copy');
  assert.match(snapshotter.fallback, /EINVAL/);
  const mounts = [message(Mount, { containerPath: '/image', readonly: true, image: message(ImageSpec, { image: bed.image }) })];
  const inUserNamespace = { usernsOptions: { mode: NamespaceMode.POD, uids: range, gids: range } };
  const withUsers = handlers.find(({ name }) => name === '')?.features?.userNamespaces === true;

  for (const namespaces of [{}, ...(withUsers ? [inUserNamespace] : [])]) {
    const pod = await bed.runPod({ namespaces });
    const id = await bed.runContainer(pod.id, { namespaces, config: { mounts }, script: 'echo written > /file && sleep 86399' });

    const sh = async (script: string): Promise<string> => String((await bed.engine.containers.execSync(id, ['sh', '-c', script], 10, call())).stdout);
    assert.equal(await sh('ls /gone 2>/dev/null; ls -n /data | tail -n 1 | tr -s " " | cut -d " " -f 3,9; ls /folder; ls /many | wc -l; cat /file'), '1000 new\nnew\n800\nwritten\n');
    assert.equal(await sh('ls /image/data /image/folder; touch /image/x || echo refused; stat -c %u /image/many'), '/image/data:\nnew\n\n/image/folder:\nnew\nrefused\n0\n');
    const status = JSON.parse((await bed.engine.containers.status(id, true)).info['info']!) as { snapshotter: string };
    assert.equal(status.snapshotter, 'copy');
  }

  await bed.removeAllPods();
  await bed.assertNothingLeft();
});

test('the usage of a copied root is what was written, not what came with the image', { skip, timeout: 60_000 }, async () => {
  const pod = await bed.runPod();
  const id = await bed.runContainer(pod.id, { script: 'dd if=/dev/zero of=/big bs=1k count=300 2>/dev/null; rm /many/f7; touch /a /b; sync; sleep 86399' });
  await eventually(async () => assert.equal((await bed.engine.containers.execSync(id, ['ls', '/b'], 10, call())).exitCode, 0));

  const usage = await eventually(async () => {
    const { writableLayer } = await bed.engine.containers.stats(id);
    assert.ok((writableLayer?.usedBytes?.value ?? 0n) > 0n, 'not measured yet');
    return writableLayer!;
  });

  assert.ok(usage.usedBytes!.value >= 300_000n && usage.usedBytes!.value < 400_000n, String(usage.usedBytes!.value));
  // Three files and /etc/hosts or the like, which the runtime makes places for; less the one that was removed.
  assert.ok(usage.inodesUsed!.value >= 2n && usage.inodesUsed!.value < 20n, String(usage.inodesUsed!.value));
  await bed.removeAllPods();
});

test('killed in mid-copy: the next daemon takes away the part, and makes the container', { skip, timeout: 60_000 }, async () => {
  await bed.stop();
  const [pod, container] = [bed.podConfig(), bed.containerConfig()];
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const request: CrashRequest = { config: bed.config, pod: text(PodSandboxConfig.encode(pod).finish()), containers: [text(ContainerConfig.encode(container).finish())], at: 0, when: 'after' };
  const daemon = spawn(process.execPath, [join(import.meta.dirname, 'crash.fake.ts'), JSON.stringify(request)], { stdio: ['null', 'null', 'null'] });
  const parts = (): string[] => readdirSync(join(bed.config.root, 'containers')).filter((id) => existsSync(join(bed.config.root, 'containers', id, 'root.part/many')));
  for (let ended = false; parts().length === 0;) {
    void daemon.exited.then(() => { ended = true; });
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert.ok(!ended, 'it ended before it copied');
  }

  daemon.kill('SIGKILL');
  await daemon.exited;
  assert.equal(parts().length, 1, 'it was killed in mid-copy');
  await bed.start();

  assert.deepEqual(await bed.engine.containers.list(undefined), []);
  const podId = await bed.engine.pods.run({ config: pod, runtimeHandler: '' }, call());
  const id = await bed.engine.containers.create({ podId, config: container, podConfig: pod }, call());
  await bed.engine.containers.start(id, call());
  await bed.removeAllPods();
  await bed.assertNothingLeft();
});

test('overlay is refused at start where it cannot be used, with what to do', { skip, timeout: 60_000 }, async () => {
  await bed.stop();
  bed.config = { ...bed.config, snapshotter: 'overlay' };

  await assert.rejects(bed.start(), { kind: 'failed-precondition', message: /^use overlayfs on .*r\/containers: mount .*: EINVAL; choose another --root, or snapshotter = "auto" or "copy"$/ });

  bed.config = { ...bed.config, snapshotter: 'auto' };
  const lines: string[] = [];
  await bed.start(createLogWriter((line) => void lines.push(line), { level: 'warn', format: 'json', colour: false }).log);
  assert.match(lines.join(''), /overlayfs cannot use this directory: each container gets a copy of its image.*EINVAL/);
});

test('containers outlive a switch of the driver: each is looked after as it was made', { skip, timeout: 60_000 }, async (t) => {
  const either = await EngineBed.open((config) => ({ ...config, snapshotter: 'copy' }));
  t.after(() => either.dispose());
  const withUsers = (await either.engine.node.status(false)).handlers.find(({ name }) => name === '')?.features?.userNamespaces === true;
  const namespaces = withUsers ? { usernsOptions: { mode: NamespaceMode.POD, uids: range, gids: range } } : {};
  const driverOf = async (id: string): Promise<unknown> => (JSON.parse((await either.engine.containers.status(id, true)).info['info']!) as { snapshotter: string }).snapshotter;
  const pod = await either.runPod({ namespaces });
  const copied = await either.runContainer(pod.id, { namespaces });

  await either.stop();
  either.config = { ...either.config, snapshotter: 'overlay' };
  await either.start();

  const sibling = await either.runContainer(pod.id, { namespaces });
  const other = await either.runContainer((await either.runPod({ namespaces })).id, { namespaces });
  assert.deepEqual([await driverOf(copied), await driverOf(sibling), await driverOf(other)], ['copy', withUsers ? 'copy' : 'overlayfs', 'overlayfs'], 'a pod made under copy has no layers with mapped owners for an overlay');
  for (const id of [copied, sibling, other]) {
    const { stdout } = await either.engine.containers.execSync(id, ['stat', '-c', '%u', '/bin'], 10, call());
    assert.equal(String(stdout), '0\n');
  }
  const bytes = await eventually(async () => {
    const { containers } = await either.engine.images.fsInfo();
    assert.ok(containers[0]!.usedBytes!.value > 0n, 'not measured yet');
    return containers[0]!.usedBytes!.value;
  });
  assert.ok(bytes >= 1_000_000n, `the copies count for the filesystem: ${bytes}`);

  either.config = { ...either.config, snapshotter: 'copy' };
  await either.stop();
  await either.start();
  await either.removeAllPods();
  await either.assertNothingLeft();
});
