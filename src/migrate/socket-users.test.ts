import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasSocketMounted, peersOf, placeIn, purposeOf } from './socket-users.ts';

test('who has the other end of a connection of docker.sock is found by the inodes of both ends', () => {
  const lines = [
    'u_str ESTAB 0      0      /run/docker.sock 501            * 500   users:(("dockerd",pid=10,fd=20))',
    'u_str ESTAB 0      0      * 500            * 501   users:(("agent",pid=77,fd=3),("agent",pid=78,fd=3))',
    'u_str ESTAB 0      0      * 600            * 601   users:(("other",pid=79,fd=3))',
    'u_str LISTEN 0     4096   /run/docker.sock 400            * 0     users:(("dockerd",pid=10,fd=4))',
    'u_str ESTAB 0      0      /run/notdocker.sock 601         * 600',
  ].join('\n');

  assert.deepEqual(peersOf(lines), [77, 78]);
  assert.deepEqual(peersOf(''), []);
});

test('a mounted socket is known by what is mounted, and by where', () => {
  assert.equal(hasSocketMounted('600 500 0:25 /docker.sock /var/run/docker.sock rw - tmpfs tmpfs rw'), true);
  assert.equal(hasSocketMounted('600 500 0:25 /docker.sock /host/engine rw - tmpfs tmpfs rw'), true);
  assert.equal(hasSocketMounted('600 500 0:25 / /run rw - tmpfs tmpfs rw\n601 500 0:26 /x /y rw - ext4 /dev/a rw'), false);
});

test('what well-known programs want of Docker is told', () => {
  assert.match(purposeOf('cadvisor')!, /kubelet/);
  assert.match(purposeOf('promtail')!, /\/var\/log\/pods/);
  assert.equal(purposeOf('my-own-thing'), undefined);
});

test('a process goes by the name of its pod, by its uid where nobody knows that, or by the host', () => {
  const names = new Map([['8c1f0000-1111-2222-3333-444455556666', 'kube-system/agent']]);

  assert.equal(placeIn('0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod8c1f0000_1111_2222_3333_444455556666.slice/x.scope', names), 'pod kube-system/agent');
  assert.equal(placeIn('4:memory:/kubepods/podffff0000-1111-2222-3333-444455556666/x', names), 'pod ffff0000-1111-2222-3333-444455556666');
  assert.equal(placeIn('0::/system.slice/agent.service', names), 'host');
});
