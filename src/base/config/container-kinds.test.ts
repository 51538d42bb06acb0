import assert from 'node:assert/strict';
import { test } from 'node:test';
import { annotationPatterns, annotations, capabilities, environment, runtimeFlags, sysctls, ulimits, umask } from './container-kinds.ts';
import type { Kind } from './kinds.ts';

/** Every text alone, in a list: those that are refused. */
function refusedOf<T>(kind: Kind<readonly T[]> | Kind<Readonly<Record<string, string>>>, texts: readonly string[]): string[] {
  return texts.filter((text) => kind.read([text]) === undefined);
}

test('a limit is soft and hard, or both in one, and -1 is unlimited', () => {
  assert.deepEqual(ulimits.read(['nofile=1024:524288', 'core=0', 'memlock=-1', 'stack=8192:-1']), [
    { name: 'nofile', soft: 1024, hard: 524_288 },
    { name: 'core', soft: 0, hard: 0 },
    { name: 'memlock', soft: -1, hard: -1 },
    { name: 'stack', soft: 8192, hard: -1 },
  ]);
  assert.equal(ulimits.write([{ name: 'nofile', soft: 1024, hard: -1 }]), '["nofile=1024:-1"]');
});

test('nonsense limits are refused', () => {
  const wrong = ['nofile', 'nofile=', 'nofile=1:', 'nofile=2:1', 'nofile=-1:5', 'nofile=-2', 'files=1', 'RLIMIT_NOFILE=1', 'nofile=1e3', 'nofile=1:2:3', 'nofile=0x10', 'nofile=1234567890123456'];

  assert.deepEqual(refusedOf(ulimits, wrong), wrong);
  assert.equal(ulimits.read(['nofile=1', 'nofile=2']), undefined, 'one name twice');
  assert.equal(ulimits.read('nofile=1'), undefined, 'no list');
});

test('variables are names with any text', () => {
  assert.deepEqual(environment.read(['A=1', 'B=', 'C=a=b c']), { A: '1', B: '', C: 'a=b c' });
  assert.deepEqual(refusedOf(environment, ['A', '=1', 'A=\0', 'A\0=1']), ['A', '=1', 'A=\0', 'A\0=1']);
  assert.equal(environment.write({ A: '1 "2"' }), '["A=1 \\"2\\""]');
});

test("only sysctls of a pod's own namespaces can be defaults", () => {
  assert.deepEqual(sysctls.read(['net.core.somaxconn=1024', 'kernel.shm_rmid_forced=1', 'fs.mqueue.msg_max=20', 'net.ipv4.ping_group_range=0 5']), {
    'net.core.somaxconn': '1024', 'kernel.shm_rmid_forced': '1', 'fs.mqueue.msg_max': '20', 'net.ipv4.ping_group_range': '0 5',
  });
  const wrong = ['kernel.pid_max=5', 'vm.swappiness=1', 'net=1', 'net..x=1', 'net.a/../../b=1', 'net.a=', 'net.a=1\n2', 'net.a=1+kernel.core_pattern=x'];
  assert.deepEqual(refusedOf(sysctls, wrong), wrong);
});

test('a capability is known under its name with or without CAP_', () => {
  assert.deepEqual(capabilities.read(['chown', 'CAP_NET_RAW']), ['CAP_CHOWN', 'CAP_NET_RAW']);
  assert.deepEqual(capabilities.read([]), []);
  assert.deepEqual(refusedOf(capabilities, ['ALL', 'CHWON', '']), ['ALL', 'CHWON', '']);
  assert.equal(capabilities.write(['CAP_CHOWN']), '["CHOWN"]');
});

test('a mask is octal text', () => {
  assert.equal(umask.read('0027'), 0o027);
  assert.equal(umask.read('777'), 0o777);
  assert.equal(umask.write(0o002), '"0002"');
  for (const wrong of [22, '22', '0o22', '0888', '1777', '', null]) assert.equal(umask.read(wrong), undefined, JSON.stringify(wrong));
});

test('annotations and their patterns', () => {
  assert.deepEqual(annotations.read(['a.b/c=d=e']), { 'a.b/c': 'd=e' });
  assert.deepEqual(refusedOf(annotations, ['a b=c', 'x']), ['a b=c', 'x']);
  assert.deepEqual(annotationPatterns.read(['io.katacontainers.*', '*']), ['io.katacontainers.*', '*']);
  assert.deepEqual(refusedOf(annotationPatterns, ['', 'a b', 'a=b']), ['', 'a b', 'a=b']);
});

test('flags that are ours to give are refused', () => {
  assert.deepEqual(runtimeFlags.read(['--debug', '--log', '/var/log/x', '--rootless=false']), ['--debug', '--log', '/var/log/x', '--rootless=false']);
  assert.deepEqual(refusedOf(runtimeFlags, ['--root', '--root=/x', '-root', '--systemd-cgroup', '--systemd-cgroup=true', '']), ['--root', '--root=/x', '-root', '--systemd-cgroup', '--systemd-cgroup=true', '']);
});
