import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shiftId, shiftXattr } from './shift-owners.ts';

const maps = { uids: { containerId: 0, hostId: 100_000, length: 1000 }, gids: { containerId: 0, hostId: 200_000, length: 1000 } };

test('ids of the pod are shifted, those that it does not have become nobody', () => {
  const shifted = [0, 999, 1000, 4_294_967_294].map((id) => shiftId(id, maps.uids));

  assert.deepEqual(shifted, [100_000, 100_999, 65_534, 65_534]);
});

test("file capabilities become those of the pod's root", () => {
  const shared = 'ffffffff0000000000000000000000'; // permitted and inheritable sets
  const revision2 = Buffer.from(`01000002${shared}00`, 'hex');
  const revision3 = Buffer.from(`01000003${shared}0005000000`, 'hex');
  const revision1 = Buffer.from('010000010000000000000000', 'hex');

  assert.equal(shiftXattr('security.capability', revision2, maps).toString('hex'), `01000003${shared}00a0860100`);
  assert.equal(shiftXattr('security.capability', revision3, maps).toString('hex'), `01000003${shared}00a5860100`);
  assert.equal(shiftXattr('security.capability', revision1, maps), revision1);
});

test('named users and groups of an access list are shifted, its owners are not in it', () => {
  const entry = (tag: number, id: number): string => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(tag, 0);
    bytes.writeUInt16LE(6, 2);
    bytes.writeUInt32LE(id, 4);
    return bytes.toString('hex');
  };
  const nobodySpecial = 0xffff_ffff;
  const list = (user: number, group: number): string => `02000000${entry(1, nobodySpecial)}${entry(2, user)}${entry(4, nobodySpecial)}${entry(8, group)}${entry(0x10, nobodySpecial)}`;

  const shifted = shiftXattr('system.posix_acl_access', Buffer.from(list(7, 9), 'hex'), maps);

  assert.equal(shifted.toString('hex'), list(100_007, 200_009));
});

test('other attributes stay as they are', () => {
  const value = Buffer.from('x');

  assert.equal(shiftXattr('user.note', value, maps), value);
});
