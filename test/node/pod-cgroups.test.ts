/** Where the processes of pods are accounted: in the cgroup that the kubelet named, or else in one of the pod's own. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { NamespaceMode } from '../../src/gen/cri.ts';
import { cgroupDriver } from '../support/daemon.ts';
import { eventually, startWorkload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());

/** Where the cgroup driver puts a container: under systemd in a scope. */
function cgroupOf(parent: string, id: string): string {
  return cgroupDriver === 'systemd' ? `${parent}/gantry-${id}.scope` : `${parent}/${id}`;
}

/** The cgroups of a container's first process, one a hierarchy. In a scope, which is systemd's, crun gives it one of its own below. */
async function cgroupsOf(containerId: string): Promise<string[]> {
  const { info } = await node.client.containerStatus({ containerId, verbose: true });
  const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
  return readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n').map((line) => line.split(':').slice(2).join(':').replace(/\.scope\/container$/, '.scope'));
}

/** The folders that exist for a cgroup, in whichever hierarchies there are. */
function foldersOf(cgroup: string): string[] {
  const hierarchies = ['', ...readdirSync('/sys/fs/cgroup')].map((name) => path.join('/sys/fs/cgroup', name));
  return hierarchies.map((hierarchy) => path.join(hierarchy, cgroup)).filter((folder) => existsSync(folder));
}

test('a container is in the cgroup that was named for its pod, in every hierarchy', async () => {
  const cgroupParent = node.daemon.podCgroup('pod1');
  const pod = await node.runPod({ cgroupParent });

  const id = await node.runContainer(pod);

  assert.deepEqual(new Set(await cgroupsOf(id)), new Set([cgroupOf(cgroupParent, id)]));
});

test('the process of a pod with a shared PID namespace is in the named cgroup too', async () => {
  const cgroupParent = node.daemon.podCgroup('pod2');
  const pod = await node.runPod({ cgroupParent, namespaces: { pid: NamespaceMode.POD } });

  assert.notDeepEqual(foldersOf(cgroupOf(cgroupParent, pod.id)), []);
});

test('a pod for which none was named gets one of its own, which goes with it', async (t) => {
  if (cgroupDriver === 'systemd') return t.skip('slices are systemd\'s: without one that was named the containers are in system.slice');
  const pod = await node.runPod({ cgroupParent: '' });

  const ids = [await node.runContainer(pod), await node.runContainer(pod)];

  for (const id of ids) assert.deepEqual(new Set(await cgroupsOf(id)), new Set([`/gantry/pod${pod.id}/${id}`]));
  await node.removePod(pod);
  assert.deepEqual(foldersOf(`/gantry/pod${pod.id}`), []);
});

test('processes that a container left in its cgroup end with it', async () => {
  const pod = await node.runPod({ namespaces: { pid: NamespaceMode.POD } });
  const id = await node.runContainer(pod, { script: 'setsid sleep 30001 & sleep 0.1' });
  await node.ended(id);

  const neighbour = await node.runContainer(pod);

  assert.doesNotMatch(await node.sh(neighbour, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"), /sleep 30001/);
});

test('an ended container leaves no cgroup, although it is still there to be looked at', async () => {
  const pod = await node.runPod();
  const id = await node.runContainer(pod, { script: 'true' });
  await node.ended(id);

  await eventually(() => assert.deepEqual(foldersOf(cgroupOf(pod.config.linux!.cgroupParent, id)), []));
});

test('of all these pods nothing is left once they are removed', () => assertRemovalLeavesNothing(node.daemon));
