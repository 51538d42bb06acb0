/** On a node with SELinux: what containers and their files are labelled, and what its policy then keeps them from, tried from inside. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { Mount, NamespaceMode, SELinuxOption } from '../../src/gen/cri.ts';
import { libc } from '../../src/host/libc.ts';
import { hasSelinux } from '../../src/part/lsm/selinux-contexts.ts';
import { message } from '../support/cri-messages.ts';
import { assertFails, startWorkload, type Workload, type WorkloadPod } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const skip = hasSelinux() ? false : 'this kernel has no SELinux (npm run vm -- --selinux boots one that has)';

const processLabel = /^system_u:system_r:container_t:(s0:c\d+,c\d+)$/;

/** The label of a file of the node's; of one that has none, what the policy says of such. */
const labelOf = (file: string): string | undefined => libc.getxattr(file, 'security.selinux')?.toString().replace(/\0$/, '');

describe('SELinux', { skip }, () => {
  let node: Workload;
  let pod: WorkloadPod;
  let other: WorkloadPod;
  before(async () => {
    node = await startWorkload();
    [pod, other] = [await node.runPod(), await node.runPod()];
  });
  after(() => node.stop());

  /** The label of the process that asks. */
  const ownLabel = 'tr -d "\\000" < /proc/self/attr/current';
  const levelIn = async (id: string): Promise<string> => processLabel.exec(await node.sh(id, ownLabel))?.[1] ?? '';
  const mounting = (hostPath: string, fields: Partial<Mount> = {}) => ({ config: { mounts: [message(Mount, { hostPath, containerPath: '/data', ...fields })] } });
  const reading = 'cat /data/file 2>&1';
  const denied = "cat: can't open '/data/file': Permission denied\n";

  /** A folder of the node's with a file in it and one deeper. */
  function volume(name: string): string {
    const folder = path.join(node.daemon.paths.dir, 'volumes', name);
    mkdirSync(path.join(folder, 'deep'), { recursive: true });
    for (const file of ['file', 'deep/file']) writeFileSync(path.join(folder, file), `${name}\n`);
    return folder;
  }

  async function pidOf(containerId: string): Promise<number> {
    const { info } = await node.client.containerStatus({ containerId, verbose: true });
    return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
  }

  test('processes of a pod, also those run in its containers later, have its level; another pod has another', async () => {
    const [first, second, stranger] = [await node.runContainer(pod), await node.runContainer(pod), await node.runContainer(other)];

    const level = await levelIn(first);
    const ofMain = await node.sh(first, 'tr -d "\\000" < /proc/1/attr/current');

    assert.match(ofMain, processLabel);
    assert.equal(ofMain, await node.sh(first, ownLabel));
    assert.equal(await levelIn(second), level);
    assert.notEqual(await levelIn(stranger), level);
  });

  test('the root, /dev/shm and the files of the pod have its level too', async () => {
    const id = await node.runContainer(pod, { script: 'echo mine > /etc/mine; exec sleep 1000' });
    const label = `system_u:object_r:container_file_t:${await levelIn(id)}`;
    const root = `/proc/${await pidOf(id)}/root`;
    await node.sh(id, 'echo mine > /dev/shm/mine');

    for (const file of ['', '/bin/sh', '/etc/mine', '/dev/shm', '/dev/shm/mine', '/etc/resolv.conf', '/etc/hostname', '/dev/pts']) assert.equal(labelOf(root + file), label, file);
    assert.equal(await node.sh(id, 'cat /etc/resolv.conf > /dev/null; cat /dev/shm/mine'), 'mine');
  });

  test('a volume is out of reach until its pod asks for its label; then it has it, and its neighbours have what they had', async () => {
    const [wanted, neighbour] = [volume('wanted'), volume('neighbour')];
    const before = labelOf(neighbour);

    assert.equal(await node.outputOf(pod, { script: reading, ...mounting(wanted) }), denied);
    assert.equal(labelOf(wanted), before, 'nothing is relabelled that nobody asked for');
    assert.equal(await node.outputOf(pod, { script: `${reading}; echo more >> /data/deep/file && echo written`, ...mounting(wanted, { selinuxRelabel: true }) }), 'wanted\nwritten\n');

    const label = `system_u:object_r:container_file_t:${await levelIn(await node.runContainer(pod))}`;
    for (const file of ['', 'file', 'deep', 'deep/file']) assert.equal(labelOf(path.join(wanted, file)), label, file);
    for (const file of [neighbour, path.join(neighbour, 'file'), path.dirname(wanted)]) assert.equal(labelOf(file), before, file);
  });

  test("another pod's processes are kept from it by their categories, until it is theirs", async () => {
    const shared = volume('shared');
    assert.equal(await node.outputOf(pod, { script: reading, ...mounting(shared, { selinuxRelabel: true }) }), 'shared\n');

    assert.equal(await node.outputOf(other, { script: reading, ...mounting(shared) }), denied);
    assert.equal(await node.outputOf(other, { script: reading, ...mounting(shared, { selinuxRelabel: true }) }), 'shared\n');
    assert.equal(await node.outputOf(pod, { script: reading, ...mounting(shared) }), denied);
  });

  test('a volume that has its label already is not walked again', async () => {
    const large = volume('large');
    const relabelled = { script: reading, ...mounting(large, { selinuxRelabel: true }) };
    await node.outputOf(pod, relabelled);
    const odd = 'system_u:object_r:container_file_t:s0';
    libc.lsetxattr(path.join(large, 'deep/file'), 'security.selinux', Buffer.from(odd), 0);

    assert.equal(await node.outputOf(pod, relabelled), 'large\n');

    assert.equal(labelOf(path.join(large, 'deep/file')), odd);
  });

  test("the node's own folders are not relabelled, whoever asks", async () => {
    const before = labelOf('/usr');

    await assertFails(node.createContainer(pod, mounting('/usr', { selinuxRelabel: true })), status.INVALID_ARGUMENT, /relabel volume \/usr: \/usr belongs to the node/);

    assert.equal(labelOf('/usr'), before);
  });

  test('type and level are as the container says; a label that the policy does not know fails', async () => {
    const option = (fields: Partial<SELinuxOption>) => ({ security: { selinuxOptions: message(SELinuxOption, fields) } });

    assert.equal(await node.outputOf(pod, { script: ownLabel, ...option({ level: 's0:c7,c9' }) }), 'system_u:system_r:container_t:s0:c7,c9');
    assert.match(await node.outputOf(pod, { script: ownLabel, ...option({ type: 'kernel_t' }) }), /^system_u:system_r:kernel_t:s0:c\d+,c\d+$/);
    await assert.rejects(node.createContainer(pod, option({ type: 'no_such_t' })).then((containerId) => node.client.startContainer({ containerId })), /label|attr|selinux|invalid argument/i);
  });

  test('a privileged container is not confined: it reads what has no label, and what another pod has', async () => {
    const [plain, foreign] = [volume('plain'), volume('foreign')];
    await node.outputOf(other, { script: reading, ...mounting(foreign, { selinuxRelabel: true }) });
    const security = { privileged: true };

    assert.equal(await node.outputOf(pod, { script: reading, security, ...mounting(plain) }), 'plain\n');
    assert.equal(await node.outputOf(pod, { script: reading, security, ...mounting(foreign) }), 'foreign\n');
  });

  test('the process that keeps a shared PID namespace has the level of its pod', async () => {
    const id = await node.runContainer(await node.runPod({ namespaces: { pid: NamespaceMode.POD } }));

    assert.match(await node.sh(id, 'tr -d "\\000" < /proc/1/attr/current'), processLabel);
    assert.equal(await node.sh(id, 'tr -d "\\000" < /proc/1/attr/current'), await node.sh(id, ownLabel));
  });

  test('a pod keeps its level when the daemon is started again', async () => {
    const first = await node.runContainer(pod);
    const level = await levelIn(first);

    await node.daemon.restart();

    assert.equal(await levelIn(await node.runContainer(pod)), level);
  });

  test('of all these pods nothing is left once they are removed', () => assertRemovalLeavesNothing(node.daemon));
});
