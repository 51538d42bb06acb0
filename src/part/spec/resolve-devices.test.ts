import { afterEach, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostDevices, resolveDevices } from './resolve-devices.ts';
import type { ResolvedDevice } from './resolve-devices.ts';

let scratch = '';

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'gantry-devices-'));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const resolve = (hostPath: string, containerPath = '/dev/in', permissions = 'rw'): Promise<ResolvedDevice[]> => resolveDevices([{ hostPath, containerPath, permissions }]);

test('a device is found as it is, and behind a symlink', async () => {
  symlinkSync('/dev/zero', join(scratch, 'link'));

  assert.deepEqual(await resolve('/dev/zero'), [{ path: '/dev/in', type: 'c', major: 1, minor: 5, mode: 0o666, uid: 0, gid: 0, permissions: 'rw' }]);
  assert.deepEqual(await resolve(join(scratch, 'link')), await resolve('/dev/zero'));
});

test('permissions are what was asked, once each, and all when nothing was', async () => {
  const permissions = async (asked: string): Promise<string | undefined> => (await resolve('/dev/null', '/dev/in', asked))[0]?.permissions;

  assert.equal(await permissions('mrw'), 'mrw');
  assert.equal(await permissions('rr'), 'r');
  assert.equal(await permissions(''), 'rwm');
});

test('a directory means the devices in it; links and files in it do not count', async () => {
  mkdirSync(join(scratch, 'below'));
  writeFileSync(join(scratch, 'file'), '');
  symlinkSync('/dev/null', join(scratch, 'below/link'));

  assert.deepEqual(await resolve(scratch), []);
});

test('what is absent or no device is refused by its path', async () => {
  writeFileSync(join(scratch, 'file'), '');

  await assert.rejects(resolve(join(scratch, 'absent')), { kind: 'failed-precondition', message: `use device ${scratch}/absent: there is no such file on this node` });
  await assert.rejects(resolve(join(scratch, 'file')), { kind: 'failed-precondition', message: `use device ${scratch}/file: it is neither a device nor a directory` });
});

test('malformed entries are refused by their field', async () => {
  await assert.rejects(resolve('dev/null'), { kind: 'invalid-argument', message: 'check config.devices[0].host_path: "dev/null" is not an absolute path' });
  await assert.rejects(resolve('/dev/null', '/dev/../etc'), { kind: 'invalid-argument', message: 'check config.devices[0].container_path: "/dev/../etc" has an element ..' });
  await assert.rejects(resolve('/dev/null', '/dev/a', 'w+'), { kind: 'invalid-argument', message: 'check config.devices[0].permissions: "w+" is not made of r, w and m' });
});

test('the host has devices, and terminals and shared memory are not among them', async () => {
  const paths = (await hostDevices()).map(({ path }) => path);

  assert.ok(paths.includes('/dev/null'));
  assert.deepEqual(paths.filter((path) => /^\/dev\/(pts|shm|mqueue|ptmx|console)/.test(path)), []);
});
