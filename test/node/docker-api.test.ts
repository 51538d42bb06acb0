/** The real docker client at the Docker API of a real daemon: what people and agents ask of docker.sock, and that nothing can be changed over it. */
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { eventually, startWorkload } from '../support/workload.ts';

const docker = ['/usr/local/bin/docker', '/usr/bin/docker'].find((file) => spawnSync(file, ['--version']).status === 0);
const skip = whyNot();
const folder = mkdtempSync(path.join(os.tmpdir(), 'gantry-docker-'));
const socket = path.join(folder, 'docker.sock');
const environment = { PATH: process.env.PATH, HOME: folder, DOCKER_HOST: `unix://${socket}`, DOCKER_BUILDKIT: '0' };
const { node, pod, main, done } = skip === false ? await setUp() : ({} as Awaited<ReturnType<typeof setUp>>);
after(async () => {
  await node?.stop();
  rmSync(folder, { recursive: true });
});

function whyNot(): string | false {
  if (docker === undefined) return 'there is no docker client here (package docker.io)';
  return process.env.RUNTIME === 'runc' && existsSync('/usr/bin/crun') ? 'the OCI runtime has no part in it: it runs with crun' : false;
}

/** A pod with a container that runs and has written two lines, and one that has failed. */
async function setUp() {
  const node = await startWorkload({ config: `[docker_api]\nsocket = "${socket}"\n` });
  const pod = await node.runPod({ name: 'web' });
  const main = await node.runContainer(pod, { name: 'main', script: 'echo out; echo err >&2; while true; do sleep 1; done' });
  const done = await node.runContainer(pod, { name: 'done', script: 'exit 3' });
  await node.ended(done);
  await eventually(async () => assert.equal((await node.log(main)).length, 2));
  return { node, pod, main, done };
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(...args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(docker!, args, { env: environment, encoding: 'utf8' }, (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }));
  });
}

/** What it prints, when it succeeds. */
async function printed(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await run(...args);
  assert.equal(code, 0, `docker ${args.join(' ')}: ${err}`);
  return out.trimEnd();
}

test('the socket is closed to other users', { skip }, () => {
  assert.equal(statSync(socket).mode & 0o777, 0o660);
});

test('docker ps lists pods and containers under the names of Kubernetes', { skip }, async () => {
  const rows = (await printed('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.Image}} {{.Status}}')).split('\n');

  assert.equal(rows.length, 3);
  assert.match(rows[0]!, new RegExp(`^${done} k8s_done_web_default_.*_0 ${node.image} Exited \\(3\\) `));
  assert.match(rows[1]!, new RegExp(`^${main} k8s_main_web_default_.*_0 ${node.image} Up `));
  assert.match(rows[2]!, new RegExp(`^${pod.id} k8s_POD_web_default_.*_0 registry.k8s.io/pause Up `));
  assert.equal(await printed('ps', '-q', '--no-trunc', '--filter', 'label=io.kubernetes.docker.type=container'), main);
  assert.equal(await printed('ps', '-aq', '--no-trunc', '--filter', 'status=exited', '--filter', 'name=k8s_done'), done);
  assert.match(await printed('ps', '-s', '--filter', `id=${main}`), /virtual/);
});

test('docker inspect tells process, address, network and image', { skip }, async () => {
  const format = '{{.State.Pid}} {{.HostConfig.NetworkMode}} {{.NetworkSettings.IPAddress}} {{index .Config.Labels "io.kubernetes.sandbox.id"}} {{json .Config.Env}}';
  const [pid, mode, address, sandbox, env] = (await printed('inspect', '--format', format, main)).split(' ');

  assert.ok(Number(pid) > 0);
  assert.deepEqual([mode, address, sandbox], [`container:${pod.id}`, await node.addressOf(pod), pod.id]);
  assert.ok((JSON.parse(env!) as string[]).every((entry) => entry.endsWith('=')), env);
  assert.match(await printed('inspect', '--type', 'image', node.image), /"Layers": \[/);
  assert.match((await run('inspect', 'nobody')).err, /No such object: nobody/i);
});

test('docker logs reads, ends and follows', { skip }, async () => {
  assert.deepEqual(await run('logs', main), { code: 0, out: 'out\n', err: 'err\n' });
  assert.match(await printed('logs', '-t', main), /^\d{4}-\d\d-\d\dT[\d:]+\.\d{9}Z out$/);
  assert.equal(await printed('logs', '--tail', '0', main), '');

  const short = await node.runContainer(pod, { name: 'short', script: 'n=0; while [ $n -lt 3 ]; do n=$((n + 1)); echo $n; sleep 0.2; done' });
  assert.equal(await printed('logs', '-f', short), '1\n2\n3');
});

test('docker logs of a container with a terminal are its bytes', { skip }, async () => {
  const id = await node.runContainer(pod, { name: 'terminal', script: 'echo screen', config: { tty: true } });
  await node.ended(id);

  assert.match(await printed('logs', id), /^screen\r?$/);
});

test('docker stats, images, history, info, version and system df say what they say of Docker', { skip }, async () => {
  const [stats, images, history, info, version, df] = await Promise.all([
    printed('stats', '--no-stream', '--no-trunc', '--format', '{{.ID}} {{.MemUsage}} {{.CPUPerc}}', main), printed('images', '--format', '{{.Repository}}:{{.Tag}}'), printed('history', node.image),
    printed('info', '--format', '{{.ContainersRunning}} {{.Driver}} {{.DefaultRuntime}} {{.Swarm.LocalNodeState}}'), printed('version', '--format', '{{.Server.APIVersion}} {{.Server.Version}}'), printed('system', 'df', '--format', '{{.Type}} {{.TotalCount}}'),
  ]);

  assert.match(stats, new RegExp(`^${main} [1-9][\\d.]*[KM]iB / [\\d.]+[MGT]iB [\\d.]+%$`));
  assert.deepEqual([images, history.split('\n')[0]!.split(/ +/)[0]], [node.image, 'IMAGE']);
  assert.match(info, /^\d+ (overlayfs|copy) \S+ inactive$/);
  assert.match(version, /^1\.44 25\.0\.0\+gantry\./);
  assert.match(df, /^Images 1$/m);
});

test('docker events tells what happens', { skip }, async () => {
  const events = spawn(docker!, ['events', '--filter', 'type=container', '--format', '{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.exitCode}}'], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  createInterface({ input: events.stdout }).on('line', (line) => lines.push(line));
  // Until the client is there nothing is told: containers are made until one of them is.
  const made: string[] = [];
  await eventually(async () => {
    const id = await node.runContainer(pod, { script: 'exit 7' });
    made.push(id);
    await node.ended(id);
    assert.ok(lines.some((line) => line.startsWith('die ')), lines.join('\n'));
  });
  events.kill();
  await once(events, 'exit');

  const died = lines.find((line) => line.startsWith('die '))!;
  assert.match(died, / 7$/);
  assert.ok(made.includes(died.split(' ')[1]!), died);
  assert.match(await printed('events', '--since', '1h', '--until', '0s', '--filter', `container=${done}`, '--format', '{{.Action}}'), /^create\nstart\ndie$/);
});

test('what would change something is refused with the way to do it', { skip }, async () => {
  const rows: [string[], RegExp][] = [
    [['stop', main], /docker stop is not for this socket.*kubectl delete pod.*crictl stop/],
    [['kill', main], /docker kill .*crictl stop/],
    [['restart', main], /docker restart .*kubectl rollout restart/],
    [['rm', '-f', main], /docker rm .*crictl rm/],
    [['run', '--rm', node.image], /docker run .*kubectl run/],
    [['exec', main, 'true'], /docker exec .*crictl exec/],
    [['pull', 'busybox'], /docker pull .*crictl pull/],
    [['rmi', node.image], /docker rmi .*crictl rmi/],
    [['tag', node.image, 'x:1'], /docker tag .*gantry image tag/],
    [['top', main], /docker top .*kubectl exec/],
    [['cp', `${main}:/etc/hostname`, folder], /docker cp .*kubectl cp/],
    [['build', folder], /docker build .*gantry image load|unable to prepare context/],
  ];
  const answers = await Promise.all(rows.map(([args]) => run(...args)));

  for (const [index, { code, err }] of answers.entries()) {
    assert.notEqual(code, 0);
    assert.match(err, rows[index]![1]);
  }
  assert.equal((await node.statusOf(main)).state, 1);
});

interface RecordedClient {
  readonly program: string;
  readonly pod: string;
  readonly container: string;
  readonly userAgent: string;
  readonly requests: string;
  readonly refused: string;
}

/** As `gantry docker-clients` tells them. */
function recorded(): RecordedClient[] {
  const program = path.join(import.meta.dirname, '../../bin/gantry');
  const { stdout, status, stderr } = spawnSync(program, ['docker-clients', '-o', 'json', '--socket', node.daemon.paths.socket], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return (JSON.parse(stdout) as { clients: RecordedClient[] }).clients;
}

test('who has asked is told to whoever runs the node', { skip }, async () => {
  await printed('version');
  await run('stop', main);

  const client = recorded().find(({ program, pod: of }) => program.endsWith('/docker') && of === '')!;

  assert.match(client.userAgent, /^Docker-Client\//);
  assert.ok(Number(client.refused) >= 1 && Number(client.requests) > Number(client.refused));
});

test('a client in a container is recorded with its pod', { skip }, async () => {
  const cgroup = cgroupOf(Number(await printed('inspect', '--format', '{{.State.Pid}}', main)));

  const { status } = spawnSync('sh', ['-c', 'echo $$ >"$0/cgroup.procs" && exec "$1" version', cgroup, docker!], { env: environment });

  assert.equal(status, 0);
  assert.ok(recorded().some(({ pod: of, container }) => of === 'default/web' && container === 'main'));
});

/** The directory of one of a container's cgroups, whichever version there is. */
function cgroupOf(pid: number): string {
  const places = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n').map((line) => line.split(':') as [string, string, string]);
  const found = places.map(([, controllers, place]) => path.join('/sys/fs/cgroup', controllers, place)).find((dir) => dir.includes(main) && existsSync(path.join(dir, 'cgroup.procs')));
  return found ?? assert.fail(places.join(' '));
}
