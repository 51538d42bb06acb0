import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { NodeFiles } from '../node-files.ts';
import { editKubeletConfig, readKubeletConfig } from './edit-config.ts';
import { addEndpoint, editFlags, endpointIn } from './edit-flags.ts';
import { findKubelet, planKubeletChanges } from './find-kubelet.ts';

const endpoint = 'unix:///run/gantry/gantry.sock';

test('the endpoint is exchanged where it stands, and what was Docker\'s is taken away; the rest stays as it was written', () => {
  const rows: [number | undefined, string, string][] = [
    [28, 'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///var/run/cri-dockerd.sock --pod-infra-container-image=pause:3.9"', `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${endpoint} --pod-infra-container-image=pause:3.9"`],
    [25, "A='--container-runtime=remote --container-runtime-endpoint /run/containerd/containerd.sock --v=2'", `A='--container-runtime=remote --container-runtime-endpoint=${endpoint} --v=2'`],
    [28, 'A="--container-runtime=remote --container-runtime-endpoint=x"', `A="--container-runtime-endpoint=${endpoint}"`],
    [23, 'A="--container-runtime=docker --network-plugin=cni --cni-bin-dir=/opt/cni/bin --docker-endpoint unix:///d.sock --v 4"', 'A="--container-runtime=remote --v 4"'],
    [28, '# --container-runtime-endpoint=old\nA="--v=2  --x"\n', '# --container-runtime-endpoint=old\nA="--v=2  --x"\n'],
    [28, 'ExecStart=/usr/bin/kubelet --image-service-endpoint=unix:///a --container-runtime-endpoint=unix:///b $X', `ExecStart=/usr/bin/kubelet --container-runtime-endpoint=${endpoint} $X`],
    [28, 'Environment="X=--container-runtime-endpoint=unix:///b"', `Environment="X=--container-runtime-endpoint=${endpoint}"`],
    [28, 'Environment="A=1" "B=--container-runtime-endpoint=x"', `Environment="A=1" "B=--container-runtime-endpoint=${endpoint}"`],
    [28, `A="--node-labels='a b' --container-runtime=remote --v=2"`, `A="--node-labels='a b' --v=2"`],
    [28, 'ExecStart=kubelet --container-runtime-endpoint="unix:///old" --v=2', `ExecStart=kubelet --container-runtime-endpoint=${endpoint} --v=2`],
    [28, '  --network-plugin=cni \\', ' \\'],
    [23, 'ExecStart=kubelet --docker-only $MORE', 'ExecStart=kubelet $MORE'],
    [28, 'A="--docker-registry-mirror-of-mine=1"', 'A="--docker-registry-mirror-of-mine=1"'],
  ];
  for (const [minor, before, after] of rows) {
    const target = { endpoint, minor };
    assert.equal(editFlags(before, target), after);
    assert.equal(editFlags(after, target), after, 'a second time changes nothing');
  }
});

test('of several endpoints the last counts, and one in a comment does not', () => {
  assert.equal(endpointIn('A="--container-runtime-endpoint=a --container-runtime-endpoint b"'), 'b');
  assert.equal(endpointIn('#A="--container-runtime-endpoint=a"\nB="--v=2"'), undefined);
});

test('an endpoint is added to a variable, which is made where it is not', () => {
  assert.equal(addEndpoint('A="--v=2"\nB=x\n', 'A', { endpoint, minor: 28 }), `A="--v=2 --container-runtime-endpoint=${endpoint}"\nB=x\n`);
  assert.equal(addEndpoint('A=', 'A', { endpoint, minor: 24 }), `A="--container-runtime=remote --container-runtime-endpoint=${endpoint}"`);
  assert.equal(addEndpoint('', 'A', { endpoint, minor: undefined }), `A="--container-runtime-endpoint=${endpoint}"\n`);
});

test("the kubelet's configuration keeps its comments and its order", () => {
  const text = '# ours\napiVersion: kubelet.config.k8s.io/v1beta1\ncontainerRuntimeEndpoint: "unix:///old" # was Docker\nimageServiceEndpoint: unix:///i\ncgroupDriver: systemd\n';

  assert.deepEqual(readKubeletConfig(text, 'f'), { endpoint: 'unix:///old', cgroupDriver: 'systemd' });
  assert.equal(editKubeletConfig(text, 'f', endpoint), `# ours\napiVersion: kubelet.config.k8s.io/v1beta1\ncontainerRuntimeEndpoint: "${endpoint}" # was Docker\ncgroupDriver: systemd\n`);
  assert.throws(() => readKubeletConfig('a: [', 'f'), { kind: 'failed-precondition', message: /^read the kubelet's configuration f: / });
  assert.throws(() => readKubeletConfig('- a', 'f'), { kind: 'failed-precondition', message: /it is not an object/ });
});

function nodeWith(t: TestContext, files: Readonly<Record<string, string>>): NodeFiles {
  const root = mkdtempSync(path.join(tmpdir(), 'gantry-node-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  return new NodeFiles(root);
}

async function changes(node: NodeFiles, minor: number | undefined, words: string[] = []): Promise<string[]> {
  const kubelet = await findKubelet(node, { words, minor });
  return (await planKubeletChanges(node, kubelet, endpoint)).map(({ file, after }) => `${file}: ${after.trim().split('\n').at(-1)}`);
}

test('the endpoint is changed wherever the kubelet is told one, else added where kubeadm keeps flags, else to the configuration', async (t) => {
  const config = { '/var/lib/kubelet/config.yaml': 'cgroupDriver: systemd\n' };
  const flags = { '/var/lib/kubelet/kubeadm-flags.env': 'KUBELET_KUBEADM_ARGS="--v=2"\n' };
  const told = { '/etc/systemd/system/kubelet.service.d/20-docker.conf': '[Service]\nEnvironment="KUBELET_EXTRA_ARGS=--container-runtime-endpoint=unix:///old"\n' };

  assert.deepEqual(await changes(nodeWith(t, { ...config, ...flags }), 28), [`/var/lib/kubelet/kubeadm-flags.env: KUBELET_KUBEADM_ARGS="--v=2 --container-runtime-endpoint=${endpoint}"`]);
  assert.deepEqual(await changes(nodeWith(t, config), 28), [`/var/lib/kubelet/config.yaml: containerRuntimeEndpoint: ${endpoint}`]);
  assert.deepEqual(await changes(nodeWith(t, config), 24), [`/etc/default/kubelet: KUBELET_EXTRA_ARGS="--container-runtime=remote --container-runtime-endpoint=${endpoint}"`]);
  assert.deepEqual(await changes(nodeWith(t, { ...config, ...flags, ...told }), 28), [`/etc/systemd/system/kubelet.service.d/20-docker.conf: Environment="KUBELET_EXTRA_ARGS=--container-runtime-endpoint=${endpoint}"`]);
  assert.deepEqual(await changes(nodeWith(t, { '/srv/k.yaml': 'containerRuntimeEndpoint: unix:///old\n' }), 30, ['--config=/srv/k.yaml']), [`/srv/k.yaml: containerRuntimeEndpoint: ${endpoint}`]);
  const unit = { '/etc/systemd/system/kubelet.service': '[Service]\nExecStart=/usr/bin/kubelet --container-runtime-endpoint=unix:///old --v=2\n' };
  assert.deepEqual(await changes(nodeWith(t, { ...config, ...unit }), 28, ['--container-runtime-endpoint=unix:///old']), [`/etc/systemd/system/kubelet.service: ExecStart=/usr/bin/kubelet --container-runtime-endpoint=${endpoint} --v=2`]);
  await assert.rejects(changes(nodeWith(t, config), 28, ['--container-runtime-endpoint=unix:///old']), { kind: 'failed-precondition', message: /it was started with --container-runtime-endpoint=unix:\/\/\/old, and none of the usual files says so: name the one that does with --kubelet-flags/ });
  await assert.rejects(changes(nodeWith(t, {}), 28), { kind: 'failed-precondition', message: /name the file with its flags with --kubelet-flags/ });
});

test('a drop-in is changed once, whichever of its names it is found by', async (t) => {
  const node = nodeWith(t, { '/usr/lib/systemd/system/kubelet.service.d/10.conf': 'Environment="A=--container-runtime-endpoint=unix:///old"\n' });
  symlinkSync('/usr/lib', path.join(node.root, 'lib'));

  assert.deepEqual((await findKubelet(node, { words: [], minor: 28 })).flagFiles.length, 1);
});

test("a symlink of the node leads to the node's files, wherever its root is", async (t) => {
  const node = nodeWith(t, { '/run/kubelet.env': 'inside' });
  mkdirSync(path.join(node.root, 'var'));
  symlinkSync('/run', path.join(node.root, 'var/run'));
  symlinkSync('/../../../../etc/hostname', path.join(node.root, 'outside'));

  assert.equal(await node.read('/var/run/kubelet.env'), 'inside');
  assert.equal(node.at('/var/run/new/docker.sock'), path.join(realpathSync(node.root), 'run/new/docker.sock'));
  assert.equal(await node.read('/outside'), undefined);
});

test('a named file that is not there is told, and what the running kubelet says counts most', async (t) => {
  const node = nodeWith(t, { '/var/lib/kubelet/config.yaml': 'cgroupDriver: systemd\ncontainerRuntimeEndpoint: unix:///c\n' });

  await assert.rejects(findKubelet(node, { words: [], minor: 28 }, { flagFile: '/none' }), { kind: 'not-found', message: "find the kubelet's flags /none: there is no such file" });
  await assert.rejects(findKubelet(node, { words: [], minor: 28 }, { configFile: '/none' }), { kind: 'not-found', message: "find the kubelet's configuration /none: there is no such file" });
  const { endpoint: asked, cgroupDriver } = await findKubelet(node, { words: ['--container-runtime-endpoint=unix:///r', '--cgroup-driver', 'cgroupfs'], minor: 28 });
  assert.deepEqual([asked, cgroupDriver], ['unix:///r', 'cgroupfs']);
  assert.deepEqual([(await findKubelet(node, { words: [], minor: 28 })).cgroupDriver, (await findKubelet(nodeWith(t, {}), { words: [], minor: 28 })).cgroupDriver], ['systemd', 'cgroupfs']);
});
