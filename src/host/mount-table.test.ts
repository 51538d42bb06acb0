import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountOf, parseMountTable } from './mount-table.ts';

const table = parseMountTable([
  '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
  '30 22 0:26 /a\\040part /srv rw - tmpfs tmpfs rw',
  '31 22 0:27 / /srv/with\\040blank rw,nosuid master:7 - tmpfs tmpfs rw',
  '32 30 0:28 / /srv/data rw master:7 shared:9 propagate_from:2 - nfs4 server:/a\\040- rw',
  '33 22 0:29 / /srv rw shared:5 - tmpfs tmpfs rw',
].join('\n') + '\n');

test('each line tells its mount point, what is mounted there, and how it propagates', () => {
  assert.deepEqual(table, [
    { mountPoint: '/', root: '/', device: '8:1', type: 'ext4', shared: true, slave: false },
    { mountPoint: '/srv', root: '/a part', device: '0:26', type: 'tmpfs', shared: false, slave: false },
    { mountPoint: '/srv/with blank', root: '/', device: '0:27', type: 'tmpfs', shared: false, slave: true },
    { mountPoint: '/srv/data', root: '/', device: '0:28', type: 'nfs4', shared: true, slave: true },
    { mountPoint: '/srv', root: '/', device: '0:29', type: 'tmpfs', shared: true, slave: false },
  ]);
});

test('a path lies on the mount with the longest mount point around it, the latest where two are on one point', () => {
  assert.equal(mountOf(table, '/home/ada')?.mountPoint, '/');
  assert.equal(mountOf(table, '/srv/database')?.mountPoint, '/srv', 'a name that only begins alike is another');
  assert.equal(mountOf(table, '/srv/data')?.mountPoint, '/srv/data');
  assert.equal(mountOf(table, '/srv/data/deep/er')?.mountPoint, '/srv/data');
  assert.equal(mountOf(table, '/srv/x')?.shared, true);
  assert.equal(mountOf([], '/'), undefined);
});
