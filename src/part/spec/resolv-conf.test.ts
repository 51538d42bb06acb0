import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKind } from '../../base/errors.ts';
import { checkDnsConfig, resolvConf } from './resolv-conf.ts';

test('a pod without a DNS config has the node\'s file', () => {
  assert.equal(resolvConf(undefined, 'nameserver 9.9.9.9\n'), 'nameserver 9.9.9.9\n');
  assert.equal(resolvConf({ servers: [], searches: [], options: [] }, 'nameserver 9.9.9.9\n'), 'nameserver 9.9.9.9\n');
});

test('a pod\'s DNS config becomes a resolv.conf of its own', () => {
  const dns = { servers: ['10.96.0.10', 'fd00::a'], searches: ['default.svc.cluster.local', 'cluster.local'], options: ['ndots:5', 'edns0'] };

  assert.equal(resolvConf(dns, 'unused'), 'search default.svc.cluster.local cluster.local\nnameserver 10.96.0.10\nnameserver fd00::a\noptions ndots:5 edns0\n');
});

test('a value that would write a line of its own is refused', () => {
  for (const bad of ['10.0.0.1\nnameserver 6.6.6.6', 'a b', '']) {
    assert.throws(() => checkDnsConfig({ servers: [bad], searches: [], options: [] }), (error) => isKind(error, 'invalid-argument') && /config\.dns_config\.servers\[0\]: .* is not one word/.test(String(error)));
  }
});
