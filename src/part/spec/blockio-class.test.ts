import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { blockIoOf, parseBlockIoClass } from './blockio-class.ts';

const document: unknown = parse(`
Classes:
  slow:
    - Weight: 80
    - Devices: [/dev/sd*]
      ThrottleReadBps: 50M
      ThrottleWriteBps: 10Mi
      ThrottleReadIOPS: 10k
      ThrottleWriteIOPS: 5
      Weight: 50
    - Devices: [/dev/sdb]
      ThrottleReadBps: 100M
  fast: [{ Weight: 400 }]
  wrong: [{ Wait: 3 }]
  heavy: [{ Weight: 5000 }]
  nowhere: [{ ThrottleReadBps: 1M }]
  outside: [{ Devices: [/etc/x], Weight: 10 }]
  fuzzy: [{ Devices: [/dev/sda], ThrottleReadBps: lots }]
  scalar: 5
`);
const [sda, sdb] = [{ major: 8, minor: 0 }, { major: 8, minor: 16 }];
const devicesOf = ([glob]: readonly string[]): (typeof sda)[] => (glob === '/dev/sd*' ? [sda, sdb] : [sdb]);

test('a class gives weights and throttles for each device, a later rule over an earlier one', () => {
  assert.deepEqual(blockIoOf(parseBlockIoClass(document, 'slow'), devicesOf), {
    weight: 80,
    weightDevice: [{ ...sda, weight: 50 }, { ...sdb, weight: 50 }],
    throttleReadBpsDevice: [{ ...sda, rate: 50_000_000n }, { ...sdb, rate: 100_000_000n }],
    throttleWriteBpsDevice: [{ ...sda, rate: 10n << 20n }, { ...sdb, rate: 10n << 20n }],
    throttleReadIOPSDevice: [{ ...sda, rate: 10_000n }, { ...sdb, rate: 10_000n }],
    throttleWriteIOPSDevice: [{ ...sda, rate: 5n }, { ...sdb, rate: 5n }],
  });
  assert.deepEqual(blockIoOf(parseBlockIoClass(document, 'fast'), devicesOf), { weight: 400 });
  assert.deepEqual(blockIoOf(parseBlockIoClass(document, 'slow'), () => []), { weight: 80 });
});

test('a class that is missing or wrong is refused by name', () => {
  const refusals: readonly [string, string][] = [
    ['none', 'there is no such class; there are: slow, fast, wrong, heavy, nowhere, outside, fuzzy, scalar'],
    ['constructor', 'there is no such class; there are: slow, fast, wrong, heavy, nowhere, outside, fuzzy, scalar'],
    ['wrong', 'Wait is none of Devices, Weight, ThrottleReadBps, ThrottleWriteBps, ThrottleReadIOPS, ThrottleWriteIOPS'],
    ['heavy', 'Weight: 5000 is not from 10 to 1000'],
    ['nowhere', 'a throttle needs Devices'],
    ['outside', 'Devices: want a list of globs below /dev'],
    ['fuzzy', 'ThrottleReadBps: "lots" is no number such as 500, 10k or 50Mi'],
    ['scalar', 'want a list of rules'],
  ];
  for (const [name, why] of refusals) assert.throws(() => parseBlockIoClass(document, name), { kind: 'failed-precondition', message: `use block I/O class ${name}: ${why}` });
  assert.throws(() => parseBlockIoClass(null, 'x'), { message: 'use block I/O class x: there is no such class; there are: none' });
});
