/** Pods whose root is nobody on the node, proved from inside and from outside. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { NamespaceMode, type NamespaceOption } from '../../src/gen/cri.ts';
import { startWorkload } from '../support/workload.ts';

const node = await startWorkload();
after(() => node.stop());

function users(hostId = 200_000, length = 65_536): Partial<NamespaceOption> {
  const range = () => [{ containerId: 0, hostId, length }];
  return { usernsOptions: { mode: NamespaceMode.POD, uids: range(), gids: range() } };
}

test('root inside is nobody of the node', async () => {
  const pod = await node.runPod({ namespaces: users() });
  const id = await node.runContainer(pod);
  assert.match(await node.sh(id, 'cat /proc/self/uid_map'), /^\s*0\s+200000\s+65536$/);
  console.log(await node.sh(id, 'id; ls -lan /; ls -la /etc; mount; ls -la /dev; ip addr; hostname; cat /proc/self/cgroup'));
  await node.removePod(pod);
});
