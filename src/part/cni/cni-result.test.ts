import assert from 'node:assert/strict';
import { test } from 'node:test';

import { asRawResult, podIps, readResult } from './cni-result.ts';

const interfaces = [{ name: 'cni0', sandbox: '' }, { name: 'veth1' }, { name: 'eth0', mac: 'aa:bb', sandbox: '/run/x' }];

test('a result of 0.4.0 is read into the form of 1.1', () => {
  const raw = asRawResult({ cniVersion: '0.4.0', interfaces, ips: [{ version: '4', address: '10.1.0.5/16', gateway: '10.1.0.1', interface: 2 }], routes: [{ dst: '0.0.0.0/0' }] }, '0.4.0');

  assert.deepEqual(readResult(raw), {
    cniVersion: '1.1.0',
    interfaces: [{ name: 'cni0' }, { name: 'veth1' }, { name: 'eth0', mac: 'aa:bb', sandbox: '/run/x' }],
    ips: [{ address: '10.1.0.5/16', gateway: '10.1.0.1', interface: 2 }],
    routes: [{ dst: '0.0.0.0/0' }],
    dns: {},
  });
});

test('a plugin that answers in another version than asked is put right for the next plugin', () => {
  const newer = { cniVersion: '1.0.0', ips: [{ address: '10.1.0.5/16' }, { address: 'fd00::5/64' }] };
  const older = { cniVersion: '0.4.0', ips: [{ version: '4', address: '10.1.0.5/16' }] };

  assert.deepEqual(asRawResult(newer, '0.4.0'), { cniVersion: '0.4.0', ips: [{ version: '4', address: '10.1.0.5/16' }, { version: '6', address: 'fd00::5/64' }] });
  assert.deepEqual(asRawResult(older, '1.0.0'), { cniVersion: '1.0.0', ips: [{ address: '10.1.0.5/16' }] });
});

test('what a plugin adds beyond the specification is kept for the next plugin', () => {
  assert.deepEqual(asRawResult({ cniVersion: '1.0.0', vendor: { x: 1 } }, '1.0.0'), { cniVersion: '1.0.0', vendor: { x: 1 } });
});

for (const [what, answer, why] of [
  ['text', 'ok', /the result is not an object/],
  ['a result of CNI 0.2.0', { cniVersion: '0.2.0', ip4: { ip: '10.1.0.5/16' } }, /it is of CNI 0\.2\.0, but 1\.0\.0 was asked for/],
  ['an address without prefix', { ips: [{ address: '10.1.0.5' }] }, /"10\.1\.0\.5" is no CIDR address/],
  ['a prefix too long', { ips: [{ address: '10.1.0.5/33' }] }, /is no CIDR address/],
  ['an address with a newline', { ips: [{ address: '10.1.0.5/16\nnameserver 6.6.6.6' }] }, /is no CIDR address/],
  ['an ip on no interface', { interfaces: [], ips: [{ address: '10.1.0.5/16', interface: 0 }] }, /is on interface 0 of 0/],
  ['ips that are no list', { ips: {} }, /ips is not a list/],
] as const) {
  test(`${what} is refused`, () => {
    assert.throws(() => readResult(asRawResult(answer, '1.0.0')), why);
  });
}

const dual = readResult(asRawResult({
  interfaces,
  ips: [{ address: 'fd00::5/64', interface: 2 }, { address: '10.1.0.5/16', interface: 2 }, { address: '10.1.0.1/16', interface: 0 }, { address: 'fd00::5/64', interface: 2 }],
}, '1.0.0'));

test("a pod's addresses are those of its interface, each once, the network's first one first", () => {
  assert.deepEqual(podIps(dual, 'eth0'), ['fd00::5', '10.1.0.5']);
});

test('the primary address follows the preferred family, where there is one', () => {
  assert.deepEqual(podIps(dual, 'eth0', 'ipv4'), ['10.1.0.5', 'fd00::5']);
  assert.deepEqual(podIps(dual, 'eth0', 'ipv6'), ['fd00::5', '10.1.0.5']);
  const single = readResult(asRawResult({ ips: [{ address: '10.1.0.5/16' }] }, '1.0.0'));
  assert.deepEqual(podIps(single, 'eth0', 'ipv6'), ['10.1.0.5']);
});

test('addresses that are tied to no interface of the pod count when there are no others', () => {
  const hostSideOnly = readResult(asRawResult({ interfaces: [{ name: 'lxc1' }], ips: [{ address: '10.1.0.5/32', interface: 0 }] }, '1.0.0'));

  assert.deepEqual(podIps(hostSideOnly, 'eth0'), ['10.1.0.5']);
});
