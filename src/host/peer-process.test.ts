import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deepestCgroup, peerProcess } from './peer-process.ts';

test('the process that connected is told by the kernel', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-peer-'));
  t.after(() => rm(folder, { recursive: true }));
  const server = createServer();
  t.after(() => void server.close());
  server.listen(join(folder, 's'));
  await once(server, 'listening');

  const client = connect(join(folder, 's'));
  const [accepted] = await once(server, 'connection') as [Socket];
  const peer = peerProcess(accepted);

  assert.equal(peer?.pid, process.pid);
  assert.equal(peer.uid, process.getuid!());
  assert.equal(peer.program, await realpath(process.execPath));
  client.destroy();
  accepted.destroy();
  assert.equal(peerProcess(accepted), undefined);
});

test('of several hierarchies the deepest path is the cgroup', () => {
  assert.equal(deepestCgroup('4:memory:/\n2:cpu,cpuacct:/kubepods/pod1/abc\n1:name=systemd:/kubepods\n0::/\n'), '/kubepods/pod1/abc');
  assert.equal(deepestCgroup('0::/system.slice/agent.service\n'), '/system.slice/agent.service');
  assert.equal(deepestCgroup(''), '');
});
