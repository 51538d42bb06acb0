import { afterEach, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { GantryError } from '../../base/errors.ts';
import { LinuxContainerSecurityContext, SupplementalGroupsPolicy } from '../../gen/cri.ts';
import { unset } from './example-input.fake.ts';
import { containerUser, resolveUser } from './resolve-user.ts';
import type { Identity } from './resolve-user.ts';

let rootfs = '';

beforeEach(() => {
  rootfs = mkdtempSync(join(tmpdir(), 'gantry-user-'));
  mkdirSync(join(rootfs, 'etc'));
});
afterEach(() => rmSync(rootfs, { recursive: true, force: true }));

function passwd(...lines: string[]): void {
  writeFileSync(join(rootfs, 'etc/passwd'), lines.map((line) => `${line}\n`).join(''));
}

function group(...lines: string[]): void {
  writeFileSync(join(rootfs, 'etc/group'), lines.map((line) => `${line}\n`).join(''));
}

function asked(change: Partial<LinuxContainerSecurityContext> = {}, imageUser = ''): Promise<Identity> {
  return resolveUser(rootfs, { ...unset(LinuxContainerSecurityContext), ...change }, imageUser);
}

const inImage = (imageUser: string): Promise<Identity> => resolveUser(rootfs, undefined, imageUser);

function ada(): void {
  passwd('root:x:0:0:root:/root:/bin/sh', 'ada:x:1000:1001:Ada,,,:/home/ada:/bin/sh');
  group('root:x:0:', 'ada:x:1001:', 'users:x:50:bob,ada', 'adamant:x:51:adam', 'audio:x:63:ada');
}

test('nobody says anything: root, with the home of root', async () => {
  ada();

  assert.deepEqual(await inImage(''), { uid: 0, gid: 0, additionalGids: [0], home: '/root' });
});

test('an image without passwd and group runs any id', async () => {
  assert.deepEqual(await inImage(''), { uid: 0, gid: 0, additionalGids: [0], home: undefined });
  assert.deepEqual(await inImage('7'), { uid: 7, gid: 0, additionalGids: [0], home: undefined });
  assert.deepEqual(await inImage('7:8'), { uid: 7, gid: 8, additionalGids: [8], home: undefined });
});

test("the image's user may be a name or an id, with or without a group", async () => {
  ada();

  for (const [user, gid, groups] of [
    ['ada', 1001, [1001, 50, 63]],
    ['1000', 1001, [1001, 50, 63]],
    ['ada:users', 50, [50, 63]],
    ['1000:users', 50, [50, 63]],
    ['ada:7', 7, [7, 50, 63]],
  ] as const) {
    assert.deepEqual(await inImage(user), { uid: 1000, gid, additionalGids: groups, home: '/home/ada' }, user);
  }
  assert.deepEqual(await inImage(':users'), { uid: 0, gid: 50, additionalGids: [50], home: '/root' });
});

test('the kubelet has precedence over the image', async () => {
  ada();

  const identity = await asked({ runAsUser: { value: 0n } }, 'ada:users');

  assert.deepEqual(identity, { uid: 0, gid: 0, additionalGids: [0], home: '/root' });
});

test('Merge adds the groups of the image to those of the kubelet, Strict does not, and neither repeats one (CVE-2022-36109)', async () => {
  ada();
  const context = { runAsUser: { value: 1000n }, runAsGroup: { value: 9n }, supplementalGroups: [50n, 70n] };

  const merged = await asked({ ...context, supplementalGroupsPolicy: SupplementalGroupsPolicy.Merge });
  const strict = await asked({ ...context, supplementalGroupsPolicy: SupplementalGroupsPolicy.Strict });

  assert.deepEqual(merged.additionalGids, [9, 50, 63, 70]);
  assert.deepEqual(strict.additionalGids, [9, 50, 70]);
});

test('the status tells the same identity', async () => {
  ada();

  const { linux } = containerUser(await inImage('ada'));

  assert.deepEqual(linux, { uid: 1000n, gid: 1001n, supplementalGroups: [1001n, 50n, 63n] });
});

test('digits are an id, even where a line has them for its name', async () => {
  passwd('1000:x:0:0:trap:/root:/bin/sh', 'ada:x:1000:1001::/home/ada:');
  group('50:x:0:');

  assert.equal((await inImage('1000:50')).uid, 1000);
  assert.equal((await inImage('1000:50')).gid, 50);
  assert.equal((await asked({ runAsUsername: '1000' })).home, '/home/ada');
});

test('the first of two lines counts, as in the C library', async () => {
  passwd('ada:x:1:1::/first:', 'ada:x:2:2::/second:');
  group('g:x:3:', 'g:x:4:');

  assert.deepEqual(await inImage('ada:g'), { uid: 1, gid: 3, additionalGids: [3], home: '/first' });
});

test('a line with a broken id is not read as root', async () => {
  passwd('ada:x::0::/:', 'ada:x:0x10:0::/:', 'ada:x:-1:0::/:', 'ada:x:4294967296:0::/:', 'ada:x:99999999999999999999:0::/:', 'ada', '', '# ada:x:5:5');

  await assert.rejects(inImage('ada'), { kind: 'failed-precondition', message: `resolve user "ada": the image's /etc/passwd has no usable line for it` });
});

test('a last line without its newline, and one that spans reads, are found', async () => {
  writeFileSync(join(rootfs, 'etc/passwd'), `${'#'.repeat(65_530)}\nadä:x:5:6::/home:`);

  assert.deepEqual(await inImage('adä'), { uid: 5, gid: 6, additionalGids: [6], home: '/home' });
});

test('names that the image does not know are refused', async () => {
  ada();

  await assert.rejects(inImage('eve'), { kind: 'failed-precondition', message: `resolve user "eve": the image's /etc/passwd has no usable line for it` });
  await assert.rejects(inImage('ada:staff'), { kind: 'failed-precondition', message: `resolve group "staff": the image's /etc/group has no usable line for it` });
  await assert.rejects(asked({ runAsUsername: '77' }), { kind: 'failed-precondition', message: `resolve user "77": the image's /etc/passwd has no usable line for it` });
});

test('requests that make no sense are refused', async () => {
  const field = 'check config.linux.security_context';
  const refused = (attempt: Promise<Identity>, message: string): Promise<void> => assert.rejects(attempt, { kind: 'invalid-argument', message });

  await refused(asked({ runAsUser: { value: 1n }, runAsUsername: 'ada' }), `${field}.run_as_username: it cannot be given together with run_as_user`);
  await refused(asked({ runAsUsername: 'ada:users' }), `${field}.run_as_username: "ada:users" is no user name`);
  await refused(asked({ runAsGroup: { value: 1n } }, 'ada'), `${field}.run_as_group: it needs run_as_user or run_as_username`);
  await refused(inImage('a\0'), 'check image config.User: it has a NUL byte');
});

test('ids beyond 2^31-1 are refused wherever they come from (CVE-2024-40635)', async () => {
  for (const id of ['2147483648', '4294967296', '65536000000000', '00000000000000000000']) {
    await assert.rejects(inImage(id), { kind: 'invalid-argument' }, id);
    await assert.rejects(inImage(`1:${id}`), { kind: 'invalid-argument' }, id);
  }
  await assert.rejects(asked({ runAsUser: { value: 2n ** 31n } }), { kind: 'invalid-argument' });
  await assert.rejects(asked({ runAsUser: { value: 1n }, runAsGroup: { value: -1n } }), { kind: 'invalid-argument' });
  assert.equal((await inImage('2147483647')).uid, 2_147_483_647);
});

test('a huge passwd is read no further than 8 MiB (CVE-2025-4437)', async () => {
  writeFileSync(join(rootfs, 'etc/passwd'), `${'x:x:1:1::/:\n'.repeat(800_000)}ada:x:1000:1000::/home/ada:\n`);

  await assert.rejects(inImage('ada'), { kind: 'failed-precondition', message: `read the image's /etc/passwd: it is larger than 8 MiB` });
  assert.equal((await inImage('x')).uid, 1, 'what stands at its beginning is still found');
});

test('one endless line is read no further than 1 MiB', async () => {
  writeFileSync(join(rootfs, 'etc/passwd'), 'x'.repeat(2 << 20));

  await assert.rejects(inImage('ada'), { kind: 'failed-precondition', message: `read the image's /etc/passwd: it has a line of more than 1 MiB` });
});

test('more groups than the kernel takes are refused', async () => {
  passwd('ada:x:1:1::/:');
  group(...Array.from({ length: 65_537 }, (_, gid) => `g:x:${gid + 2}:ada`));

  await assert.rejects(inImage('ada'), { kind: 'failed-precondition', message: 'resolve user "ada": it has 65538 groups, and the kernel allows 65536' });
});

test('passwd is never read outside the image', async () => {
  symlinkSync('/../../../../../../etc/passwd', join(rootfs, 'etc/passwd'));

  await assert.rejects(inImage('root'), { kind: 'failed-precondition', message: "read the image's /etc/passwd: openat2 /etc/passwd: ELOOP" });
});

test('any text in the image gives an identity in range or a refusal, and leaves no descriptor open', async () => {
  const before = readdirSync('/proc/self/fd').length;
  const line = fc.array(fc.oneof(fc.string(), fc.constantFrom('ada', '0', '1000', '-1', '4294967295', 'x')), { maxLength: 7 }).map((parts) => parts.join(':'));

  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(line), fc.oneof(fc.string(), fc.constantFrom('ada', 'ada:x', '1000:x')), async (users, groups, imageUser) => {
      passwd(...users);
      group(...groups);
      try {
        const { uid, gid, additionalGids } = await inImage(imageUser);
        for (const id of [uid, gid, ...additionalGids]) assert.ok(Number.isInteger(id) && id >= 0 && id <= 2_147_483_647);
      } catch (error) {
        assert.ok(error instanceof GantryError, String(error));
      }
    }),
  );

  assert.equal(readdirSync('/proc/self/fd').length, before);
});
