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
  const {statSync} = await import('node:fs'); console.log(statSync('/dev/null').uid, await node.sh(id, 'ls -la /proc/1/fd /proc/self/fd; cat; ls -la /dev/null')); const t = await node.runContainer(pod, { config: { tty: true } }); console.log(statSync('/dev/null').uid, await node.sh(t, 'ls -la /proc/1/fd'));
  await node.removePod(pod);
});
