/** With the systemd driver, on cgroup v2: every container is a scope of systemd's, in the slice that the kubelet named. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { cgroupDriver } from '../support/daemon.ts';
import { assertFails, eventually, startWorkload, type Workload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';
import { status } from '@grpc/grpc-js';

function reasonToSkip(): string | false {
  if (!existsSync('/run/systemd/system')) return 'systemd does not run this machine (npm run vm has one where it does)';
  return cgroupDriver === 'systemd' ? false : 'the cgroup driver of this run is cgroupfs';
}

describe('the systemd driver', { skip: reasonToSkip() }, () => {
  let node: Workload;
  before(async () => { node = await startWorkload(); });
  after(() => node.stop());

  const scopeOf = (id: string): string => `gantry-${id}.scope`;
  const property = (unit: string, name: string): string => spawnSync('systemctl', ['show', '--value', '--property', name, unit], { encoding: 'utf8' }).stdout.trim();
  const loaded = (id: string): boolean => property(scopeOf(id), 'LoadState') === 'loaded';

  test('a parent is a slice by its name alone, with the path that the name says anyway, or as a plain path', async () => {
    const path = node.daemon.podCgroup('both');
    const name = path.slice(path.lastIndexOf('/') + 1);
    const plain = `/${name.replace(/\.slice$/, '').replaceAll('-', '/')}`;

    const ids = [];
    for (const cgroupParent of [path, name, plain]) ids.push(await node.runContainer(await node.runPod({ cgroupParent })));

    for (const id of ids) {
      assert.equal(property(scopeOf(id), 'ControlGroup'), `${path}/${scopeOf(id)}`);
      assert.equal(property(scopeOf(id), 'Slice'), name);
    }
  });

  test('a parent that is no slice is refused, and nothing is left of the pod', async () => {
    await assertFails(node.runPod({ cgroupParent: 'kubepods--pod1.slice' }), status.INVALID_ARGUMENT, /want the name of a systemd slice such as kubepods-besteffort\.slice, as the cgroup driver is systemd/);
  });

  test('without a named parent the scope is in system.slice', async () => {
    const id = await node.runContainer(await node.runPod({ cgroupParent: '' }));

    assert.equal(property(scopeOf(id), 'ControlGroup'), `/system.slice/${scopeOf(id)}`);
  });

  test('a memory limit holds through a reload of systemd, and the stats tell it', async () => {
    const id = await node.runContainer(await node.runPod(), { resources: { memoryLimitInBytes: 64n << 20n } });

    spawnSync('systemctl', ['daemon-reload']);
    const { stats } = await node.client.containerStats({ containerId: id });

    const { workingSetBytes, availableBytes } = stats?.memory ?? {};
    assert.equal(Number(workingSetBytes?.value) + Number(availableBytes?.value), 64 << 20);
  });

  test('what a container runs and what is run in it are in its scope', async () => {
    const id = await node.runContainer(await node.runPod());

    const { info } = await node.client.containerStatus({ containerId: id, verbose: true });
    const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
    const ofExec = await node.sh(id, 'cat /proc/self/cgroup');

    assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(scopeOf(id)));
    assert.match(ofExec, /^0::\//, 'in a cgroup namespace its path is the container\'s own view');
    assert.doesNotMatch(ofExec, /\.\./, 'not outside of what the container may see');
  });

  test('a container that ends, ends well or badly or for memory, leaves systemd no unit to remember', async () => {
    const pod = await node.runPod();
    await node.runContainer(pod); // keeps the pod's cgroup, as the kubelet does
    const ended = [
      await node.runContainer(pod, { script: 'true' }),
      await node.runContainer(pod, { script: 'exit 3' }),
      await node.runContainer(pod, { script: 'tail /dev/zero', resources: { memoryLimitInBytes: 32n << 20n } }),
    ];

    const reasons = [];
    for (const id of ended) reasons.push((await node.ended(id)).reason);

    assert.deepEqual(reasons, ['Completed', 'Error', 'OOMKilled']);
    await eventually(() => assert.deepEqual(ended.filter(loaded), []));
  });

  test('a kill for memory is told also when systemd takes the slice away with the only container in it', async () => {
    const greedy = { script: 'tail /dev/zero', resources: { memoryLimitInBytes: 32n << 20n } };
    const alone = [];
    for (let n = 0; n < 3; n++) alone.push(await node.runContainer(await node.runPod(), greedy));

    const reasons = [];
    for (const id of alone) reasons.push((await node.ended(id)).reason);

    assert.deepEqual(reasons, ['OOMKilled', 'OOMKilled', 'OOMKilled']);
  });

  test('of all these pods nothing is left once they are removed', () => assertRemovalLeavesNothing(node.daemon));
});
