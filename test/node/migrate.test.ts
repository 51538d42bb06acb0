/**
 * A node with a real dockerd, pods as dockershim makes them and a kubelet's files is taken to Gantry by the shipped command, interrupted and gone on with,
 * verified, and taken back; and so is a node with a real containerd and its CRI. The kubelet itself is not there: a program of its name stands for it.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startBenchImages } from '../../bench/images.ts';
import { startContainerd } from '../../bench/peer-containerd.ts';
import { ImageSpec, PodSandboxState } from '../../src/gen/cri.ts';
import { message, podConfig } from '../support/cri-messages.ts';
import { busyboxImage, tarOf } from '../support/image.ts';
import { hasProgram, startDockerd } from '../support/other-runtimes.ts';
import type { OtherRuntime } from '../support/other-runtimes.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';

const missing = ['dockerd', 'docker', 'ss'].filter((program) => !hasProgram(program));
const skip = missing.length > 0 ? `not installed: ${missing.join(', ')}` : process.env['RUNTIME'] === 'runc' ? 'the same with every OCI runtime: shown with crun' : false;

const root = mkdtempSync(path.join(os.tmpdir(), 'gantry-leaving-'));
const image = busyboxImage({ compression: 'none', config: { Env: ['CAME=from Docker'] } });
const flags = 'KUBELET_KUBEADM_ARGS="--network-plugin=cni --v=2"\n';
const at = (file: string): string => path.join(root, file);
const read = (file: string): string => readFileSync(at(file), 'utf8');

let docker: OtherRuntime;
let node: Awaited<ReturnType<typeof startWorkload>>;
let kubelet: ReturnType<typeof spawn> | undefined;

before(async () => {
  if (skip !== false) return;
  for (const [file, text] of [['/var/lib/kubelet/kubeadm-flags.env', flags], ['/var/lib/kubelet/config.yaml', '# by kubeadm\ncgroupDriver: cgroupfs\n'], ['/etc/docker/daemon.json', '{"log-driver": "journald", "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}}']]) {
    mkdirSync(path.dirname(at(file!)), { recursive: true });
    writeFileSync(at(file!), text!);
  }
  const [config, ...layers] = image.blobs;
  const manifest = [{ Config: 'config.json', RepoTags: ['registry.example/web:1'], Layers: layers.map((_, n) => `${n}.tar`) }];
  writeFileSync(at('/image.tar'), tarOf([{ path: 'config.json', content: config!.bytes }, ...layers.map(({ bytes }, n) => ({ path: `${n}.tar`, content: bytes })), { path: 'manifest.json', content: JSON.stringify(manifest) }]));
  [docker, node] = await Promise.all([startDockerd(at('/docker')), startWorkload()]);
  docker.client('load', '--quiet', '--input', at('/image.tar'));
});

after(async () => {
  if (skip !== false) return;
  endKubelet();
  const containers = docker.client('ps', '--all', '--quiet').split('\n').filter((id) => id !== '');
  if (containers.length > 0) docker.client('rm', '--force', ...containers);
  await Promise.all([docker.stop(), node.stop()]);
  rmSync(root, { recursive: true });
});

/** A sleep(1) that goes by that name, so that /proc says so. */
function startKubelet(): void {
  copyFileSync('/bin/sleep', at('/kubelet'));
  kubelet = spawn(at('/kubelet'), ['20000'], { stdio: 'ignore' });
}

function endKubelet(): void {
  kubelet?.kill('SIGKILL');
}

function dockerPod(uid: string, name: string): void {
  const labels = (type: string, container: string): string[] => Object.entries({
    'io.kubernetes.pod.uid': uid, 'io.kubernetes.pod.name': name, 'io.kubernetes.pod.namespace': 'default', 'io.kubernetes.container.name': container, 'io.kubernetes.docker.type': type,
  }).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
  const run = (container: string, type: string): string => docker.client('run', '--detach', '--network', 'none', '--stop-signal', 'KILL', '--name', `k8s_${container}_${name}_default_${uid}_0`, ...labels(type, container), 'registry.example/web:1', 'sleep', '20000');
  run('POD', 'podsandbox');
  run('main', 'container');
}

/** Who uses a docker.sock is about all of the machine, where other tests may do so. */
function withoutUsers(plan: string): string {
  return plan.split("\nwho uses Docker's socket")[0]!;
}

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function migrate(...words: string[]): Ran {
  const program = path.join(import.meta.dirname, '../../bin/gantry');
  const { status: code, stdout, stderr } = spawnSync(program, ['migrate', ...words, '--host-root', root, '--docker-socket', '/docker/docker.sock', '--images', docker.root, '--socket', node.daemon.paths.socket], { encoding: 'utf8' });
  return { code, out: stdout, err: stderr };
}

test('a node leaves Docker and comes back', { skip }, async () => {
  const { client } = node;
  dockerPod('11111111-2222-3333-4444-555555555555', 'web');
  docker.client('run', '--detach', '--network', 'none', '--stop-signal', 'KILL', '--name', 'builder', 'registry.example/web:1', 'sleep', '20000');
  startKubelet();
  await eventually(() => assert.match(readFileSync(`/proc/${kubelet!.pid}/comm`, 'utf8'), /^kubelet$/m));

  const plan = migrate('plan', '--from', 'docker');
  assert.deepEqual([plan.code, plan.err], [0, '']);
  assert.match(plan.out, /^from docker, kubelet 1\.23 with the cgroup driver cgroupfs, images in /);
  assert.match(plan.out, /lost +log-driver +"journald" .*a collector has to/);
  assert.match(plan.out, /\+ default_ulimits = \[ "nofile=1024:2048" \]/);
  assert.match(plan.out, /adopt these images of .* \(1\): registry\.example\/web:1/);
  assert.match(plan.out, /stop these pods \(1; .*: default\/web\n +leave these containers running \(1; they are no pod's\), and keep the old runtime for them: builder/);
  assert.match(plan.out, /- KUBELET_KUBEADM_ARGS="--network-plugin=cni --v=2"\n +\+ KUBELET_KUBEADM_ARGS="--v=2 --container-runtime=remote --container-runtime-endpoint=unix:\/\//);
  assert.equal(withoutUsers(migrate('run', '--from', 'docker', '--dry-run').out), withoutUsers(plan.out));
  assert.deepEqual([read('/var/lib/kubelet/kubeadm-flags.env'), existsSync(at('/etc/gantry'))], [flags, false]);

  const asked = migrate('run', '--from', 'docker');
  assert.deepEqual([asked.code, asked.err], [1, 'gantry migrate run: ask you: stdin is no terminal: say --yes\n']);
  const halted = migrate('run', '--from', 'docker', '--yes');
  assert.deepEqual([halted.code, halted.err], [1, 'gantry migrate run: migrate, step kubelet-stop: stop the kubelet: it runs, and systemd does not know it here: stop it, then run this again\n']);
  assert.match(halted.out, /^configuration\ndaemon\nimages\n {2}adopted registry\.example\/web:1\nkubelet-stop\n$/);
  endKubelet();
  await eventually(() => assert.ok(!existsSync(`/proc/${kubelet!.pid}`)));
  const done = migrate('run', '--yes');
  assert.deepEqual([done.code, done.err], [0, '']);
  assert.match(done.out, /^kubelet-stop\npods\n {2}stopped default\/web\nkubelet-files\nkubelet-start\n {2}start the kubelet now/);
  assert.equal(docker.client('ps', '--format', '{{.Names}}'), 'builder\n');

  const { images } = await client.listImages({ filter: undefined });
  assert.deepEqual(images.find(({ id }) => id === image.id)?.repoTags, ['registry.example/web:1']);
  const pod = await node.runPod({ name: 'moved' });
  const id = await node.runContainer(pod, { image: 'registry.example/web:1', script: 'echo here; sleep 20000' });
  await eventually(async () => assert.match(JSON.stringify(await node.log(id)), /here/));

  startKubelet();
  const verified = migrate('verify');
  assert.deepEqual(verified.out.split('\n').slice(0, 6), [ // what follows is about all of the machine: another test may use a docker.sock
    'ok      the daemon is ready', "ok      the kubelet's files name Gantry", 'ok      the kubelet runs', 'ok      both have one cgroup driver', 'ok      the images are here', 'ok      no pod runs in the old runtime',
  ]);

  endKubelet();
  await eventually(() => assert.ok(!existsSync(`/proc/${kubelet!.pid}`)));
  const undone = migrate('undo', '--yes');
  assert.deepEqual([undone.code, undone.err], [0, '']);
  assert.match(undone.out, /undo pods\n {2}removed .*\/moved\n/);
  assert.deepEqual([read('/var/lib/kubelet/kubeadm-flags.env'), existsSync(at('/etc/gantry/config.toml.d/50-migrated.toml'))], [flags, false]);
  await assertFails(client.podSandboxStatus({ podSandboxId: pod.id }), 5, /./);
  const nothing = migrate('undo');
  assert.match(nothing.err, /nothing was begun, or it was undone: there is no journal/);
});

const runc = ['/usr/sbin/runc', '/usr/bin/runc'].find((file) => existsSync(file));

test('a node leaves containerd and comes back', { skip: skip !== false ? skip : runc === undefined || !hasProgram('containerd') ? 'containerd or runc is not installed' : false }, async (t) => {
  const images = await startBenchImages();
  t.after(() => images.stop());
  const containerd = await startContainerd({ runtime: runc!, pauseImage: images.pause });
  t.after(() => containerd.stop());
  const folder = path.dirname(containerd.logs);
  const endpoint = 'unix:///run/containerd/containerd.sock';
  const root = path.join(folder, 'node');
  const within = (file: string): string => path.join(root, file);
  for (const file of ['/run/containerd', '/etc/containerd', '/var/lib/kubelet']) mkdirSync(within(file), { recursive: true });
  linkSync(path.join(folder, 'containerd.sock'), within('/run/containerd/containerd.sock'));
  copyFileSync(path.join(folder, 'config.toml'), within('/etc/containerd/config.toml'));
  const settings = `cgroupDriver: cgroupfs\ncontainerRuntimeEndpoint: ${endpoint}\n`;
  writeFileSync(within('/var/lib/kubelet/config.yaml'), settings);
  const migrateHere = (...words: string[]): Ran => {
    const { status: code, stdout, stderr } = spawnSync(path.join(import.meta.dirname, '../../bin/gantry'), ['migrate', ...words, '--host-root', root, '--socket', node.daemon.paths.socket], { encoding: 'utf8' });
    return { code, out: stdout, err: stderr };
  };
  await containerd.client.pullImage({ image: message(ImageSpec, { image: images.workload }) });
  const { podSandboxId } = await containerd.client.runPodSandbox({ config: podConfig({ name: 'web', namespace: 'default', logDirectory: containerd.logs, cgroupParent: containerd.cgroupParent }), runtimeHandler: '' });

  const plan = migrateHere('plan');
  assert.deepEqual([plan.code, plan.err], [0, '']);
  assert.ok(plan.out.startsWith(`from containerd at ${endpoint}, `) && plan.out.includes(`images in ${folder}/root`), plan.out);
  assert.match(plan.out, /maps +plugins\.io\.containerd\.grpc\.v1\.cri\.containerd\.runtimes +.* a handler for the RuntimeClass runc/);
  assert.ok(plan.out.includes(images.workload), plan.out);
  assert.match(plan.out, /stop these pods \(1; .*: default\/web\n/);
  const done = migrateHere('run', '--yes');
  assert.deepEqual([done.code, done.err], [0, '']);
  assert.ok(done.out.includes(`  adopted ${images.workload}\n`) && done.out.includes('  stopped default/web\n'), done.out);

  assert.equal((await containerd.client.podSandboxStatus({ podSandboxId })).status?.state, PodSandboxState.SANDBOX_NOTREADY);
  assert.match(readFileSync(within('/var/lib/kubelet/config.yaml'), 'utf8'), new RegExp(`containerRuntimeEndpoint: unix://${node.daemon.paths.socket}`));
  assert.match(migrateHere('verify').out, /ok {6}the images are here\nok {6}no pod runs in the old runtime\n/);
  const undone = migrateHere('undo', '--yes');
  assert.deepEqual([undone.code, undone.err, readFileSync(within('/var/lib/kubelet/config.yaml'), 'utf8')], [0, '', settings]);
});
