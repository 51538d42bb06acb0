import assert from 'node:assert/strict';
import { access, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { ContainerState } from '../../../gen/cri.ts';
import { fakeRuntime, runCommand } from '../runtime.fake.ts';

const manifest = (more = '') => `apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {k: v}
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 5
  initContainers: [{name: side, image: "r/x:1", restartPolicy: Always}, {name: prep, image: "r/x:1"}]
  containers:
  - {name: a, image: "r/x:1", env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}], volumeMounts: [{name: v, mountPath: /v, subPath: s}, {name: c, mountPath: /c}]}
  - {name: b, image: "r/y:1"${more}}
  volumes: [{name: v}, {name: c, configMap: {name: c}}]
`;

async function stage(t: TestContext) {
  const fake = await fakeRuntime(t);
  fake.exits.set('prep', 0);
  fake.addImage('r/y:1');
  const dirs = [path.join(fake.folder, 'data'), path.join(fake.folder, 'logs')];
  const play = (text: string, ...flags: string[]) => runCommand(fake.socket, ['play', '--data-dir', dirs[0]!, '--log-dir', dirs[1]!, ...flags, '-'], { stdin: text });
  const files = async () => (await Promise.all(dirs.map((dir) => readdir(dir).catch(() => [])))).flat();
  return { fake, play, files };
}

test('a pod is run in the order of Kubernetes; all containers are made before the first is started', async (t) => {
  const { fake, play } = await stage(t);

  const { code, out } = await play(manifest());

  assert.equal(code, 0);
  assert.deepEqual(fake.calls, ['pull r/x:1', 'run web', 'create side', 'start side', 'create prep', 'start prep', 'create a', 'create b', 'start a', 'start b']);
  assert.match(out, /^pod default\/web: started, 706f\d{9}, 10\.1\.2\.3\n {2}CONTAINER ID +NAME +STATE +IMAGE\n.*side +running +r\/x:1\n.* a +running +r\/x:1\n.* b +running +r\/y:1\n$/);
});

test('containers get their environment, volumes and managed files', async (t) => {
  const { fake, play } = await stage(t);

  await play(manifest());

  const config = fake.created.find((one) => one.config!.metadata!.name === 'a')!.config!;
  assert.equal(Buffer.from(config.envs[0]!.value).toString(), '10.1.2.3');
  const mounts = new Map(config.mounts.map((one) => [one.containerPath, one]));
  assert.deepEqual([...mounts.keys()], ['/v', '/c', '/etc/hosts', '/dev/termination-log']);
  assert.match(mounts.get('/v')!.hostPath, /default_web\/volumes\/v\/s$/);
  assert.equal(mounts.get('/c')!.readonly, true);
  assert.equal(await readFile(path.join(mounts.get('/c')!.hostPath, 'k'), 'utf8'), 'v');
  assert.match(await readFile(mounts.get('/etc/hosts')!.hostPath, 'utf8'), /10\.1\.2\.3\tweb\n/);
  await access(path.join(fake.folder, 'logs'));
});

test('played again, a pod is left alone; from another manifest it is refused', async (t) => {
  const { fake, play } = await stage(t);
  await play(manifest());
  fake.calls.length = 0;

  assert.match((await play(manifest())).out, /^pod default\/web: already running, .*10\.1\.2\.3\n/);
  const changed = await play(manifest(', tty: true'));
  assert.equal(changed.code, 1);
  assert.match(changed.err, /gantry play: pod default\/web: play: it runs, made from another version of the manifest: take it down first/);
  assert.equal((await play(manifest().replace('k: v', 'k: other'))).code, 1);
  assert.deepEqual(fake.calls, []);
});

test('what was left half made is made again', async (t) => {
  const { fake, play } = await stage(t);
  await play(manifest());
  for (const one of fake.containers.values()) if (one.metadata!.name === 'b') one.state = ContainerState.CONTAINER_CREATED;
  fake.calls.length = 0;

  const { code, err } = await play(manifest());

  assert.equal(code, 0);
  assert.match(err, /default\/web: was left half made, removing it first/);
  assert.deepEqual(fake.calls.slice(0, 6), ['stop a after 1', 'stop side after 1', 'stop pod web', 'rm pod web', 'run web', 'create side']);
});

test('--down stops with the grace period, sidecars last, removes all files, and may be repeated', async (t) => {
  const { fake, play, files } = await stage(t);
  await play(manifest());
  fake.calls.length = 0;

  assert.deepEqual(await play(manifest(), '--down'), { code: 0, out: 'pod default/web: removed\n', err: '' });
  assert.deepEqual([fake.calls.slice(0, 2).sort(), fake.calls.slice(2)], [['stop a after 5', 'stop b after 5'], ['stop side after 5', 'stop pod web', 'rm pod web']]);
  assert.deepEqual(await files(), []);
  assert.deepEqual(await play(manifest(), '--down'), { code: 0, out: 'pod default/web: not there\n', err: '' });
});

test('--down needs no more than the names of the pods', async (t) => {
  const { play } = await stage(t);
  await play(manifest());

  assert.equal((await play(manifest(', fancy: 1'), '--down')).out, 'pod default/web: removed\n');
});

test('--down leaves the pods of others alone', async (t) => {
  const { fake, play } = await stage(t);
  fake.methods['runPodSandbox']!({ config: { metadata: { name: 'web', namespace: 'default', uid: 'theirs', attempt: 0 }, labels: { 'io.kubernetes.pod.uid': 'theirs' }, annotations: {} } } as never);

  assert.equal((await play(manifest(), '--down')).out, 'pod default/web: not there\n');
  assert.equal(fake.pods.size, 1);
});

const failures: [string, string, string][] = [
  ['pull r/x:1', 'manifest unknown', 'container side: pull image r/x:1: manifest unknown'],
  ['run web', 'no network', 'run pod sandbox: no network'],
  ['create a', 'no space', 'container a: create: no space'],
  ['start b', 'exec format error', 'container b: start: exec format error'],
];
for (const [call, why, message] of failures) {
  test(`when \`${call}\` fails, nothing is left, and the message says where`, async (t) => {
    const { fake, play, files } = await stage(t);
    fake.failures.set(call, why);

    const { code, out, err } = await play(manifest());

    assert.deepEqual([code, out], [1, '']);
    assert.equal(err.trim().split('\n').at(-1), `gantry play: pod default/web: ${message}`);
    assert.deepEqual([fake.pods.size, fake.containers.size, await files()], [0, 0, []]);
  });
}

test('an init container that fails ends the play', async (t) => {
  const { fake, play, files } = await stage(t);
  fake.exits.set('prep', 3);

  const { code, err } = await play(manifest());

  assert.equal(code, 1);
  assert.match(err, /pod default\/web: init container prep: it exited with 3\n$/);
  assert.deepEqual([fake.pods.size, await files()], [0, []]);
});

test('an init container that does not end is given up', async (t) => {
  const { fake, play } = await stage(t);
  fake.exits.delete('prep');

  const { err } = await play(manifest(), '--timeout', '150ms');

  assert.match(err, /init container prep: it did not end within 0\.15 s: give it more with --timeout/);
  assert.equal(fake.pods.size, 0);
});

test('a failure in the second pod takes the first down too, but not one that ran before', async (t) => {
  const { fake, play } = await stage(t);
  const pod = (name: string, image = 'r/y:1') => `---\napiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: main, image: "${image}"}]}\n`;
  fake.failures.set('pull r/bad:1', 'gone');
  await play(pod('before'));

  const { err } = await play(pod('before') + pod('first') + pod('second', 'r/bad:1'));

  assert.match(err, /gantry play: pod default\/second: container main: pull image r\/bad:1: gone\n$/);
  assert.deepEqual([...fake.pods.values()].map((one) => one.metadata!.name), ['before']);
});

test('pull policies are obeyed', async (t) => {
  const { fake, play } = await stage(t);
  const pod = (name: string, fields: string) => `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: m, ${fields}}, {name: n, ${fields}}]}\n`;

  await play(pod('p1', 'image: "r/y:1"'));
  assert.deepEqual(fake.pulls.length, 0);
  await play(pod('p2', 'image: "r/y:1", imagePullPolicy: Always'));
  assert.deepEqual(fake.pulls.length, 1);
  assert.match((await play(pod('p3', 'image: "r/z:1", imagePullPolicy: Never'))).err, /pod default\/p3: container m: use image r\/z:1: it is not on this node, and imagePullPolicy is Never/);
});

test('a manifest with problems makes nothing, and all problems are told', async (t) => {
  const { fake, play, files } = await stage(t);

  const { code, err } = await play(manifest(', foo: 1').replace('mountPath: /v,', 'mountPath: v,'));

  assert.equal(code, 1);
  assert.match(err, /^gantry play: play the manifest from stdin: 2 problems\n {2}Pod web: spec\.containers\[0\]\.volumeMounts\[0\]\.mountPath: .*\n {2}Pod web: spec\.containers\[1\]\.foo: /);
  assert.deepEqual([fake.calls, await files()], [[], []]);
});

test("what is the kubelet's is named in one line", async (t) => {
  const { play } = await stage(t);

  assert.match((await play(manifest(', livenessProbe: {}, lifecycle: {}'))).err, /^note: ignored: livenessProbe, lifecycle \(supervision and placement stay the kubelet's/);
});

test('-o json tells what was made, and how long it took', async (t) => {
  const { play } = await stage(t);

  const { pods } = JSON.parse((await play(manifest(), '-o', 'json')).out) as { pods: { name: string; outcome: string; ips: string[]; containers: { name: string; status: { state: string } }[]; stages: { name: string }[] }[] };

  assert.deepEqual([pods[0]!.name, pods[0]!.outcome, pods[0]!.ips], ['web', 'started', ['10.1.2.3']]);
  assert.deepEqual(pods[0]!.containers.map((one) => `${one.name} ${one.status.state}`), ['side CONTAINER_RUNNING', 'a CONTAINER_RUNNING', 'b CONTAINER_RUNNING']);
  assert.equal(pods[0]!.stages[0]!.name, 'pull r/x:1');
  assert.deepEqual(JSON.parse((await play(manifest(), '--down', '-o', 'json')).out), { pods: [{ namespace: 'default', name: 'web', outcome: 'removed' }] });
});
