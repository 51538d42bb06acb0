/** The engine on a filesystem that counts projects: the figures of writable layers are the filesystem's own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { busyboxImage } from '../../test/support/image.ts';
import { MeasuredBy } from '../gen/admin.ts';
import { countingFilesystems, mountLoopFilesystem } from '../host/loop-filesystem.fake.ts';
import { firstProject, ProjectQuotas } from '../host/project-quota.ts';
import { call, EngineBed, eventually, skipEngine } from './engine-bed.fake.ts';

const skip = skipEngine !== false ? skipEngine : process.env['RUNTIME'] === 'runc' && 'the runtime makes no difference here: crun does it';

for (const filesystem of countingFilesystems) {
  test(`on ${filesystem.type} with project quotas writable layers are counted by the filesystem`, { skip, timeout: 120_000 }, async (t) => {
    const mounted = mountLoopFilesystem(t, filesystem);
    if (mounted === undefined) return;
    const root = join(mounted, 'r');
    mkdirSync(root, { mode: 0o711 });
    const bed = await EngineBed.open((config) => ({ ...config, root }), busyboxImage({ config: { Volumes: { '/data': {} } } }));
    try {
      assert.deepEqual(JSON.parse((await bed.engine.node.status(true)).info['writableLayers']!), { usage: 'counted by the filesystem' });
      const pod = await bed.runPod();
      const idle = await bed.runContainer(pod.id);
      const id = await bed.runContainer(pod.id);
      await bed.engine.containers.execSync(id, ['sh', '-c', 'head -c 3000000 /dev/zero > /big && mkdir /d && mv /big /d && head -c 2000000 /dev/zero > /data/volume && mv /bin/sh /d/sh'], 30, call());

      await assertCounted(bed, id);
      assert.deepEqual(await figures(bed, idle), { bytes: 0n, inodes: 0n, by: MeasuredBy.MEASURED_BY_FILESYSTEM }, 'nothing was written');

      await bed.stop();
      await bed.start();
      await assertCounted(bed, id);

      await bed.engine.containers.remove(id, call());
      const quotas = new ProjectQuotas(root);
      await eventually(() => assert.equal([1, 2, 3].filter((n) => quotas.count(firstProject + n).inodes > 0n).length, 1, 'only the other container has a project still'));
      await bed.removeAllPods();
      assert.deepEqual(readdirSync(join(root, 'containers')), []);
      await bed.assertNothingLeft([id, idle]);
    } finally {
      await bed.dispose();
    }
  });
}

test('a container that takes its files out of its project is walked', { skip, timeout: 120_000 }, async (t) => {
  const mounted = mountLoopFilesystem(t, countingFilesystems[1]!);
  if (mounted === undefined) return;
  const root = join(mounted, 'r');
  mkdirSync(root, { mode: 0o711 });
  const bed = await EngineBed.open((config) => ({ ...config, root }));
  try {
    const id = await bed.runContainer((await bed.runPod()).id);
    await bed.engine.containers.execSync(id, ['sh', '-c', 'head -c 3000000 /dev/zero > /big'], 30, call());
    const { status, stderr } = spawnSync('chattr', ['-p', '0', join(root, 'containers', id, 'upper/big')], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);

    const { bytes } = await eventually(async () => {
      const found = await figures(bed, id);
      assert.equal(found.by, MeasuredBy.MEASURED_BY_WALK);
      return found;
    });

    assert.ok(bytes >= 3_000_000n, `${bytes} bytes`);
  } finally {
    await bed.dispose();
  }
});

async function figures(bed: EngineBed, id: string): Promise<{ bytes: bigint; inodes: bigint; by: MeasuredBy }> {
  const { containers } = await bed.engine.images.diskUsage();
  const { bytes, inodes, measuredBy } = containers.find((container) => container.id === id)!;
  return { bytes, inodes, by: measuredBy };
}

/** /d with two files in it, whose one had to be copied up, and a file in the volume; overlayfs keeps a whiteout more, and marks directories. */
async function assertCounted(bed: EngineBed, id: string): Promise<void> {
  const { bytes, inodes, by } = await figures(bed, id);
  assert.equal(by, MeasuredBy.MEASURED_BY_FILESYSTEM);
  assert.ok(inodes >= 4n && inodes < 12n, `${inodes} inodes`);
  assert.ok(bytes >= 5_000_000n && bytes < 8_000_000n, `${bytes} bytes`);
  const { writableLayer } = await bed.engine.containers.stats(id);
  assert.deepEqual([writableLayer?.usedBytes?.value, writableLayer?.inodesUsed?.value], [bytes, inodes]);
}
