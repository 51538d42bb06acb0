import assert from 'node:assert/strict';
import { closeSync, constants, ftruncateSync, linkSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { libc } from './libc.ts';
import { countingFilesystems, mountLoopFilesystem } from './loop-filesystem.fake.ts';
import { deviceOf, dqblkBytes, firstProject, getProjectQuota, probeProjectQuotas, ProjectQuotas } from './project-quota.ts';

function makeIn(folder: string, name: string): string {
  mkdirSync(join(folder, name));
  return join(folder, name);
}

/** XFS frees what was deleted a moment later. */
async function untilFree(quotas: ProjectQuotas, id: number): Promise<void> {
  for (let tries = 0; tries < 500 && quotas.count(id).inodes > 0n; tries++) await sleep(20);
  assert.deepEqual(quotas.count(id), { bytes: 0n, inodes: 0n });
}

for (const filesystem of countingFilesystems) {
  test(`${filesystem.type} counts what lies below each directory with a project, at once`, async (t) => {
    const root = mountLoopFilesystem(t, filesystem);
    if (root === undefined) return;
    const quotas = probeProjectQuotas(root);
    assert.ok(quotas instanceof ProjectQuotas, JSON.stringify(quotas));
    const [one, other] = [join(root, 'one'), join(root, 'other')];
    mkdirSync(one);
    mkdirSync(other);

    const ids = [quotas.assign(one)!, quotas.assign(other)!] as const;
    const before = quotas.count(ids[0]);
    mkdirSync(join(one, 'deep/er'), { recursive: true });
    writeFileSync(join(one, 'deep/er/file'), Buffer.alloc(1_000_000, 1));
    linkSync(join(one, 'deep/er/file'), join(one, 'same'));
    const hole = openSync(join(one, 'hole'), constants.O_CREAT | constants.O_WRONLY);
    ftruncateSync(hole, 1 << 30);
    closeSync(hole);
    const after = quotas.count(ids[0]);

    assert.deepEqual(ids, [firstProject + 1, firstProject + 2], 'the first was for the probe');
    assert.equal(after.inodes - before.inodes, 4n);
    const bytes = Number(after.bytes - before.bytes);
    assert.ok(bytes >= 1_000_000 && bytes < 1_200_000, `${bytes} bytes`);
    assert.equal(quotas.count(ids[1]).inodes, 1n, 'the neighbour has nothing of it');

    rmSync(one, { recursive: true });
    await untilFree(quotas, ids[0]);
    mkdirSync(one);
    await untilFree(quotas, firstProject); // the probe's
    const afterRestart = new ProjectQuotas(root);
    assert.deepEqual([afterRestart.assign(one), afterRestart.assign(makeIn(root, 'third'))], [firstProject, firstProject + 1], 'ids are free again when their directories are gone');
    assert.equal(afterRestart.assign(makeIn(root, 'fourth')), firstProject + 3, 'one that is in use is passed over');
    assert.deepEqual(readdirSync(root).filter((name) => name.startsWith('project')), [], 'the probe leaves nothing');
  });

  test(`${filesystem.type} answers by its block device too, for kernels before 5.14`, (t) => {
    const root = mountLoopFilesystem(t, filesystem);
    if (root === undefined) return;
    mkdirSync(join(root, 'one'));
    const id = new ProjectQuotas(root).assign(join(root, 'one'))!;
    const block = Buffer.alloc(dqblkBytes);

    libc.quotactl(deviceOf(root), getProjectQuota, id, block);

    assert.equal(block.readBigUInt64LE(40), 1n);
  });
}

test('ext4 that was made without projects is told from one that counts them', (t) => {
  const root = mountLoopFilesystem(t, { type: 'ext4' });
  if (root === undefined) return;

  assert.match((probeProjectQuotas(root) as { shortcoming: string }).shortcoming, /^the filesystem does not count projects \(.*ESRCH\): .* ext4 also wants the features quota and project$/);
  assert.deepEqual(readdirSync(root), ['lost+found']);
});

test('XFS that is mounted without prjquota is told with the remedy', (t) => {
  const root = mountLoopFilesystem(t, { type: 'xfs' });
  if (root === undefined) return;

  assert.match((probeProjectQuotas(root) as { shortcoming: string }).shortcoming, /^the filesystem does not count projects \(.*\): XFS does when it is mounted with prjquota/);
});

test('a tmpfs or an overlay has a reason, and nothing is left on it', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-quota-'));
  libc.mount('tmpfs', folder, 'tmpfs', 0, 'size=1m');
  t.after(() => {
    libc.umount2(folder, 0);
    rmdirSync(folder);
  });
  mkdirSync(join(folder, 'project-probe-old'));

  const probed = probeProjectQuotas(folder);

  assert.ok('shortcoming' in probed && probed.shortcoming !== '');
  assert.deepEqual(readdirSync(folder), []);
});
