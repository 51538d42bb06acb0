import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNetDev } from '../../part/cni/network-usage.ts';

test('bytes and errors of each interface are read from /proc/net/dev', () => {
  const table = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0
  eth0: 123456789012    9    3    0    0     0          0         0      456      10    7    0    0     0       0          0
`;

  assert.deepEqual(parseNetDev(table), [
    { name: 'lo', rxBytes: { value: 100n }, rxErrors: { value: 0n }, txBytes: { value: 100n }, txErrors: { value: 0n } },
    { name: 'eth0', rxBytes: { value: 123456789012n }, rxErrors: { value: 3n }, txBytes: { value: 456n }, txErrors: { value: 7n } },
  ]);
});
