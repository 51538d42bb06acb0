/** Two daemons on one machine, each with its own folders, socket and network: neither sees or harms the other's. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { ContainerState } from '../../src/gen/cri.ts';
import { removePods } from '../support/daemon.ts';
import { assertFails, startWorkload } from '../support/workload.ts';
import { assertNoTraces } from '../support/workload-traces.ts';

const [one, two] = [await startWorkload(), await startWorkload()];
after(() => Promise.all([one.stop(), two.stop()]));

test('pods, containers and images of one are unknown to the other', async () => {
  const pod = await one.runPod({ name: 'same', uid: 'same' });
  const id = await one.runContainer(pod);

  assert.deepEqual((await two.client.listPodSandbox()).items, []);
  assert.deepEqual((await two.client.listContainers()).containers, []);
  await assertFails(two.client.containerStatus({ containerId: id }), status.NOT_FOUND, /no such container/);
  assert.deepEqual((await two.client.listImages()).images.flatMap(({ repoTags }) => repoTags), [two.image]);
});

test('a pod of the same name and uid runs on both', async () => {
  const [first, second] = [await one.runPod({ name: 'twin', uid: 'twin' }), await two.runPod({ name: 'twin', uid: 'twin' })];

  assert.notEqual(first.id, second.id);
  assert.notEqual(await one.addressOf(first), await two.addressOf(second));
});

test('when one is killed, restarted and emptied, the pods of the other go on', async () => {
  const pod = await two.runPod();
  const id = await two.runContainer(pod);

  await one.daemon.kill9();
  await one.daemon.restart();
  await removePods(one.client);

  await assertNoTraces(one.daemon);
  assert.equal((await two.statusOf(id)).state, ContainerState.CONTAINER_RUNNING);
  assert.equal(await two.sh(id, 'echo inside'), 'inside');
});

test('a second daemon on the folders or the socket of one is refused, naming the process that has them', () => {
  const { paths, pid } = one.daemon;
  const gantry = path.join(import.meta.dirname, '../../bin/gantry');
  const other = (name: string) => path.join(paths.dir, name);

  for (const [root, state, socket, taken] of [
    [paths.root, other('s2'), other('2.sock'), paths.root],
    [other('r2'), paths.state, other('2.sock'), paths.state],
    [other('r2'), other('s2'), paths.socket, paths.socket],
  ] as const) {
    const { status: code, stderr } = spawnSync(gantry, ['serve', '--config', paths.configFile, '--root', root, '--state', state, '--socket', socket], { encoding: 'utf8', timeout: 10_000 });

    assert.equal(code, 1, stderr);
    assert.match(stderr, new RegExp(`lock ${taken}: gantry serve runs with it already, as process ${pid}`));
  }
});

test('both still answer, and leave nothing once they are emptied', async () => {
  for (const node of [one, two]) {
    await removePods(node.client);
    await assertNoTraces(node.daemon);
  }
});
