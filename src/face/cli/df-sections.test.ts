import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DiskUsageResponse } from '../../gen/admin.ts';
import { MeasuredBy } from '../../gen/admin.ts';
import { dfTables } from './df-sections.ts';

const now = Date.parse('2026-01-10T00:00:00Z');
const nothing: DiskUsageResponse = { images: [], layers: [], partialDownloads: [], containers: [], filesystems: [] };
const id = (letter: string): string => `sha256:${letter.repeat(64)}`;
const image = { repoDigests: [], exclusiveBytes: 1_000_000n, sharedBytes: 500_000n, layers: 3, containers: 0 };

test('a node with nothing has no tables', () => {
  assert.deepEqual(dfTables(nothing, now, false), []);
});

test('images are told by total, what they have alone and what they share, the largest first', () => {
  const images = [
    { ...image, id: id('a'), repoTags: ['r/web:1', 'r/web:latest'], totalBytes: 1_500_000n },
    { ...image, id: id('b'), repoTags: [], repoDigests: [`r/db@${id('c')}`], totalBytes: 2_500_000n, containers: 2 },
  ];

  assert.deepEqual(dfTables({ ...nothing, images }, now, false), [[
    'IMAGE         IMAGE ID       TOTAL   EXCLUSIVE  SHARED  LAYERS  CONTAINERS',
    'r/db          bbbbbbbbbbbbb  2.5 MB  1 MB       500 kB  3       2',
    'r/web:1 (+1)  aaaaaaaaaaaaa  1.5 MB  1 MB       500 kB  3       0',
  ]]);
});

test('shared layers, leftovers and partial downloads have tables of their own', () => {
  const layers = [
    { diffId: id('1'), bytes: 100n, inodes: 1n, imageIds: [id('a'), id('b')] },
    { diffId: id('2'), bytes: 200n, inodes: 1n, imageIds: [id('a')] },
    { diffId: id('3'), bytes: 300n, inodes: 1n, imageIds: [] },
  ];

  assert.deepEqual(dfTables({ ...nothing, layers, partialDownloads: [{ digest: id('4'), bytes: 7000n }] }, now, false), [
    ['SHARED LAYER   SIZE   IMAGES', '1111111111111  100 B  2'],
    ['UNUSED LAYER   SIZE', '3333333333333  300 B'],
    ['PARTIAL DOWNLOAD  SIZE', '4444444444444     7 kB'],
  ]);
});

test('a container says when it was measured and by whom, that there may be more, and that it was not yet', () => {
  const measuredAt = BigInt(now - 30_000) * 1_000_000n;
  const containers = [
    { id: 'c'.repeat(64), name: 'new', pod: 'default/web', bytes: 0n, inodes: 0n, measuredAt: 0n, measuredBy: MeasuredBy.MEASURED_BY_WALK },
    { id: 'd'.repeat(64), name: 'old', pod: 'default/web', bytes: 4096n, inodes: 5n, measuredAt, measuredBy: MeasuredBy.MEASURED_BY_WALK },
    { id: 'e'.repeat(64), name: 'vast', pod: 'default/web', bytes: 9000n, inodes: 7n, measuredAt, measuredBy: MeasuredBy.MEASURED_BY_PART_OF_WALK },
    { id: 'f'.repeat(64), name: 'db', pod: 'default/web', bytes: 8000n, inodes: 6n, measuredAt, measuredBy: MeasuredBy.MEASURED_BY_FILESYSTEM },
  ];

  assert.deepEqual(dfTables({ ...nothing, containers }, now, false)[0], [
    'CONTAINER ID   NAME  POD          SIZE    INODES  MEASURED',
    'eeeeeeeeeeeee  vast  default/web  ≥ 9 kB  ≥ 7     30s ago',
    'fffffffffffff  db    default/web  8 kB    6       by the filesystem',
    'ddddddddddddd  old   default/web  4.1 kB  5       30s ago',
    'ccccccccccccc  new   default/web  -       -       not yet',
  ]);
});

test('each filesystem has its totals', () => {
  const filesystems = [{ mountpoint: '/', imageBytes: 1000n, containerBytes: 2000n, partialBytes: 0n, sizeBytes: 10n ** 12n, availableBytes: 10n ** 11n }];

  assert.deepEqual(dfTables({ ...nothing, filesystems }, now, false)[0], [
    'FILESYSTEM  IMAGES  CONTAINERS  PARTIAL  SIZE  AVAILABLE',
    '/           1 kB    2 kB        0 B      1 TB  100 GB',
  ]);
});
