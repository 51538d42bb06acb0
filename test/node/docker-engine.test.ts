/** engine = "docker" with a real dockerd in a folder of its own: the engine contract, and what only this engine can do wrong. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { criContract } from '../../src/engine/cri-contract.suite.ts';
import { spdyClient } from '../../src/face/spdy/spdy-client.fake.ts';
import { WsClient } from '../../src/face/streaming/served-streams.fake.ts';
import { AuthConfig, Capability, ContainerState, ImageSpec, LinuxContainerSecurityContext, Mount, NamespaceMode, PodSandboxState, UserNamespace } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { dockerShortcoming, startDockerEngine, type DockerEngine } from '../support/docker-engine.ts';
import { busyboxImage, pushImage } from '../support/image.ts';
import { startRegistry } from '../support/registry.ts';
import { assertAnswersLines, openForwarded } from '../support/sessions.ts';
import { startWorkload, assertFails, eventually, logLines, textOf, type Workload } from '../support/workload.ts';

const program = path.join(import.meta.dirname, '../../bin/gantry');
const shortcoming = process.env.RUNTIME === 'crun' || process.env.RUNTIME === undefined ? dockerShortcoming : 'the Docker Engine brings its own OCI runtime: it runs with crun';

if (shortcoming !== undefined) test('Docker engine', (t) => t.skip(shortcoming));
else dockerTests();

function dockerTests(): void {
  let docker: DockerEngine;
  let node: Workload;

  before(async () => {
    docker = await startDockerEngine();
    node = await startWorkload({ config: `engine = "docker"\n[docker]\nsocket = "${docker.socket}"\n` });
  });
  after(async () => {
    try {
      await removePodsAtOnce();
      await node?.stop();
    } finally {
      await docker?.stopAndClean();
    }
  });

  /** Tests of the contract leave theirs; one after the other they would take half a minute. */
  const removePodsAtOnce = async (): Promise<void> => {
    const { items } = await node.client.listPodSandbox({});
    await Promise.all(items.map(({ id }) => node.client.removePodSandbox({ podSandboxId: id })));
  };
  const leaksOf = async ({ daemon }: Workload): Promise<unknown> => (JSON.parse((await promisify(execFile)(program, ['leaks', '-o', 'json', '--socket', daemon.paths.socket])).stdout) as { leaks?: unknown[] }).leaks ?? [];
  const attachments = (): string[] => readdirSync(path.join(node.daemon.paths.root, 'docker', 'cni'));
  describe('Docker engine, all of them at once', { concurrency: true }, () => {
    test('the runtime name and the Engine itself tell whose a container is', async () => {
      const pod = await node.runPod({ config: { labels: { app: 'web' } } });
      const id = await node.createContainer(pod, { name: 'main' });

      const found = await docker.docker<{ Id: string; Names: string[]; Labels: Record<string, string> }[]>('GET', '/containers/json?all=1&filters={"label":["gantry.root"]}');

      assert.equal((await node.client.version()).runtimeName, 'docker');
      const byId = new Map(found.map((one) => [one.Id, one]));
      assert.match(byId.get(pod.id)?.Names[0] ?? '', /^\/k8s_POD_pod-1_/);
      assert.match(byId.get(id)?.Names[0] ?? '', /^\/k8s_main_pod-1_/);
      assert.deepEqual([byId.get(pod.id)?.Labels['app'], byId.get(id)?.Labels['gantry.pod']], ['web', pod.id]);
      await node.removePod(pod);
    });

    test('a pod has an address of the CNI network, its own name and resolv.conf, and gives the address back', async () => {
      const pod = await node.runPod({ config: { hostname: 'web-0', dnsConfig: { servers: ['10.0.0.10'], searches: ['default.svc'], options: ['ndots:5'] } } });
      const id = await node.runContainer(pod);

      const address = await node.addressOf(pod);

      assert.match(await node.sh(id, 'ip -4 addr show eth0'), new RegExp(`inet ${address.replaceAll('.', '\\.')}/`));
      assert.equal(await node.sh(id, 'hostname'), 'web-0');
      assert.equal(await node.sh(id, 'cat /etc/resolv.conf'), 'search default.svc\nnameserver 10.0.0.10\noptions ndots:5');
      await node.removePod(pod);
      assert.deepEqual(attachments().filter((name) => name.startsWith(pod.id)), []);
      assert.equal(existsSync(path.join(node.daemon.paths.state, 'docker', 'pods', pod.id)), false);
    });

    test('a container runs as it was asked to', async () => {
      const pod = await node.runPod();
      const mounts = [message(Mount, { hostPath: node.daemon.paths.logs, containerPath: '/data', readonly: true })];
      const id = await node.runContainer(pod, {
        security: message(LinuxContainerSecurityContext, { runAsUser: { value: 1000n }, runAsGroup: { value: 2000n }, supplementalGroups: [3000n], readonlyRootfs: true, noNewPrivs: true, capabilities: message(Capability, { dropCapabilities: ['ALL'], addCapabilities: ['NET_BIND_SERVICE'] }) }),
        resources: { memoryLimitInBytes: 64n << 20n, cpuShares: 512n },
        config: { mounts, envs: [{ key: 'WHO', value: Buffer.from('me and you') }], workingDir: '/tmp' },
      });

      const seen = await node.sh(id, 'id -u; id -g; id -G; echo "$WHO"; pwd; grep CapBnd /proc/self/status; grep NoNewPrivs /proc/self/status; touch /data/x 2>&1; touch /x 2>&1; true');

      assert.equal(seen, [
        '1000', '2000', '2000 3000', 'me and you', '/tmp', 'CapBnd:\t0000000000000400', 'NoNewPrivs:\t1',
        'touch: /data/x: Read-only file system', 'touch: /x: Read-only file system',
      ].join('\n'));
      const { resources } = await node.statusOf(id);
      assert.deepEqual([resources?.linux?.memoryLimitInBytes, resources?.linux?.cpuShares], [64n << 20n, 512n]);
      await eventually(async () => {
        const { stats } = await node.client.containerStats({ containerId: id });
        assert.ok((stats?.memory?.workingSetBytes?.value ?? 0n) > 0n && (stats?.cpu?.usageCoreNanoSeconds?.value ?? 0n) > 0n);
      });
      const { stats } = await node.client.podSandboxStats({ podSandboxId: pod.id });
      assert.deepEqual([stats?.linux?.containers.length, stats?.linux?.network?.defaultInterface?.name], [1, 'eth0']);
      await node.removePod(pod);
    });

    test('containers of a pod share its processes when it says so', async () => {
      const pod = await node.runPod({ namespaces: { pid: NamespaceMode.POD } });
      const [one, other] = [await node.runContainer(pod, { script: 'exec sleep 4711' }), await node.runContainer(pod)];

      assert.match(await node.sh(other, 'ps'), /sleep 4711/);
      assert.match(await node.sh(other, 'cat /proc/1/cmdline | tr "\\0" " "'), /pause/);
      await node.client.stopContainer({ containerId: one, timeout: 0n });
      assert.doesNotMatch(await node.sh(other, 'ps'), /sleep 4711/);
      await node.removePod(pod);
    });

    test('a command in a container has its exit code and both outputs, and its whole tree ends at its time-out', async () => {
      const pod = await node.runPod();
      const containerId = await node.runContainer(pod);

      const done = await node.client.execSync({ containerId, cmd: ['sh', '-c', 'echo out; echo err >&2; exit 7'], timeout: 30n });
      assert.deepEqual([done.exitCode, done.stdout.toString(), done.stderr.toString()], [7, 'out\n', 'err\n']);
      await assertFails(node.client.execSync({ containerId, cmd: ['no-such-program'], timeout: 30n }), status.FAILED_PRECONDITION, /no-such-program.*not found/);
      await assertFails(node.client.execSync({ containerId, cmd: ['sh', '-c', 'setsid sleep 4712 & sleep 4713'], timeout: 1n }), status.DEADLINE_EXCEEDED, /did not end within 1 s.*killed/);
      await eventually(async () => assert.doesNotMatch(await node.sh(containerId, 'ps'), /sleep 471[23]/));
      await node.removePod(pod);
    });

    test('a session has input, both outputs and the exit code, or a terminal of the size of its client; who attaches talks to the container', async () => {
      const pod = await node.runPod();
      const containerId = await node.runContainer(pod, { script: 'while read line; do echo "got $line"; done; exec sleep 86399', config: { stdin: true } });
      const piped = { containerId, stdin: true, stdout: true, stderr: true, tty: false };
      const { url } = await node.client.exec({ ...piped, cmd: ['sh', '-c', 'read a; echo "out $a"; echo "err $a" >&2; exit 5'] });

      const session = new WsClient(url, 'v5.channel.k8s.io');
      await session.opened;
      session.send(0, 'hello\n');
      await eventually(() => assert.match(session.of(3).toString(), /"ExitCode","message":"5"/));
      assert.deepEqual([session.of(1).toString(), session.of(2).toString()], ['out hello\n', 'err hello\n']);

      const cmd = ['sh', '-c', 'until stty size 2>/dev/null | grep "^33 101"; do sleep 0.05; done; read word; echo "typed $word" >&2; exit 6'];
      const terminal = new WsClient((await node.client.exec({ ...piped, cmd, stderr: false, tty: true })).url, 'v5.channel.k8s.io');
      await terminal.opened;
      terminal.send(4, '{"Width":101,"Height":33}');
      await eventually(() => assert.match(terminal.of(1).toString(), /^33 101\r\n/));
      terminal.send(0, 'this\n');
      await eventually(() => assert.match(terminal.of(3).toString(), /"ExitCode","message":"6"/));
      assert.equal(terminal.of(1).toString(), '33 101\r\nthis\r\ntyped this\r\n');

      await assertAnswersLines((await node.client.attach(piped)).url);
      await node.removePod(pod);
    });

    test('a port of the pod is reached, and one that nobody listens on is told', async () => {
      const pod = await node.runPod();
      await node.runContainer(pod, { script: 'mkdir /www; echo served >/www/index.html; exec httpd -f -p 127.0.0.1:8080 -h /www' });
      const spdy = await spdyClient((await node.client.portForward({ podSandboxId: pod.id, port: [] })).url, 'portforward.k8s.io');

      const refused = await openForwarded(spdy, 8099, 1);
      assert.match(await spdy.text(refused.error), /8099.*nobody listens/);
      let request = 1;
      await eventually(async () => { // httpd may not listen yet
        const served = await openForwarded(spdy, 8080, ++request);
        spdy.send(served.data, 'GET / HTTP/1.0\r\n\r\n');
        assert.match(await spdy.text(served.data), /\r\n\r\nserved\n$/);
      });
      await spdy.end();
      await node.removePod(pod);
    });

    test('an image is tagged, saved, untagged and loaded again; only who has the credentials pulls a private one', async () => {
      const gantry = async (...args: string[]): Promise<string> => (await promisify(execFile)(program, ['image', ...args, '--socket', node.daemon.paths.socket])).stdout;
      const archive = path.join(node.daemon.paths.dir, 'saved.tar');
      const name = 'docker.io/library/kept:1';

      await gantry('tag', node.image, name);
      await gantry('save', '-o', archive, name);
      await gantry('rm', name);
      assert.equal((await node.client.imageStatus({ image: message(ImageSpec, { image: name }) })).image, undefined);
      assert.equal(await gantry('load', archive), `${name}\n`);
      assert.equal((await node.client.imageStatus({ image: message(ImageSpec, { image: name }) })).image?.id, (await node.client.imageStatus({ image: message(ImageSpec, { image: node.image }) })).image?.id);

      const registry = await startRegistry({ auth: true });
      try {
        const image = await pushImage(registry, 'private/app:1', busyboxImage());
        await assertFails(node.pull(image), status.FAILED_PRECONDITION, /the Docker Engine says: .*(no basic auth|unauthorized|denied)/);
        await assertFails(node.client.pullImage({ image: message(ImageSpec, { image }), auth: message(AuthConfig, { ...registry.login, password: 'wrong' }) }), status.FAILED_PRECONDITION, /the Docker Engine says: /);
        const { imageRef } = await node.client.pullImage({ image: message(ImageSpec, { image }), auth: message(AuthConfig, registry.login!) });
        assert.ok((await node.client.imageStatus({ image: message(ImageSpec, { image: imageRef }) })).image?.repoTags.includes(image));
        await Promise.all([gantry('rm', image), gantry('rm', name)]); // the contract counts the names of this image
      } finally {
        await registry.stop();
      }
    });

  });

  describe('Docker engine, and what ends one of them', () => {
    test('a log is in the CRI format, complete over a rotation and a killed daemon', async () => {
      const pod = await node.runPod();
      const script = 'i=0; while [ $i -lt 400 ]; do echo "line $i"; i=$((i+1)); [ $((i % 50)) = 0 ] && sleep 0.3; done; head -c 40000 /dev/zero | tr "\\0" x; echo; echo last >&2; exec sleep 86399';
      const id = await node.runContainer(pod, { script });
      const { logPath } = await node.statusOf(id);
      await eventually(() => assert.match(readFileSync(logPath, 'utf8'), /line 60\n/));

      renameSync(logPath, `${logPath}.20260102-030405`);
      await node.client.reopenContainerLog({ containerId: id });
      assert.ok(existsSync(logPath));
      await eventually(() => assert.match(readFileSync(logPath, 'utf8'), /line 1\d\d\n/));
      await node.daemon.kill9();
      await node.daemon.restart();

      await eventually(() => assert.match(readFileSync(logPath, 'utf8'), /stderr F last\n/), 30_000);
      const lines = [...logLines(`${logPath}.20260102-030405`), ...logLines(logPath)];
      const text = textOf(lines.filter(({ stream }) => stream === 'stdout'));
      assert.equal(text, `${Array.from({ length: 400 }, (_, n) => `line ${n}\n`).join('')}${'x'.repeat(40_000)}\n`);
      assert.ok(lines.some(({ tag }) => tag === 'P'));
      await node.removePod(pod);
    });

    test('containers and images of others are neither listed nor touched', async () => {
      const { image } = node;
      const { Id: foreign } = await docker.docker<{ Id: string }>('POST', '/containers/create?name=foreign', { Image: image, Cmd: ['sleep', '86399'], HostConfig: { NetworkMode: 'none' } });
      await docker.docker('POST', `/containers/${foreign}/start`);

      const { containers } = await node.client.listContainers({});

      assert.ok(!containers.some(({ id }) => id === foreign));
      await assertFails(node.client.containerStatus({ containerId: foreign }), status.NOT_FOUND, /no such container/);
      await node.client.removeContainer({ containerId: foreign });
      await node.client.stopPodSandbox({ podSandboxId: foreign });
      await assertFails(node.client.removeImage({ image: message(ImageSpec, { image }) }), status.FAILED_PRECONDITION, /in use by .*foreign/);
      const { State } = await docker.docker<{ State: { Running: boolean } }>('GET', `/containers/${foreign}/json`);
      assert.equal(State.Running, true);
      await docker.docker('DELETE', `/containers/${foreign}?force=1`);
    });

    test('a daemon with the native engine beside it has its own pods, and neither sees or harms what the other has', async () => {
      const native = await startWorkload();
      try {
        const [here, there] = await Promise.all([node.runPod({ name: 'twin', uid: 'twin' }), native.runPod({ name: 'twin', uid: 'twin' })]);
        const [ours, theirs] = await Promise.all([node.runContainer(here), native.runContainer(there)]);

        assert.deepEqual([(await node.client.version()).runtimeName, (await native.client.version()).runtimeName], ['docker', 'gantry']);
        for (const [one, pod, container] of [[node, here, ours], [native, there, theirs]] as const) {
          assert.deepEqual((await one.client.listPodSandbox({})).items.map(({ id }) => id), [pod.id]);
          assert.deepEqual((await one.client.listContainers({})).containers.map(({ id }) => id), [container]);
          assert.deepEqual(await leaksOf(one), []);
        }
        await assertFails(node.client.containerStatus({ containerId: theirs }), status.NOT_FOUND, /no such container/);
        await assertFails(native.client.containerStatus({ containerId: ours }), status.NOT_FOUND, /no such container/);
        assert.notEqual(await node.addressOf(here), await native.addressOf(there));

        await native.daemon.kill9();
        await native.daemon.restart();
        await native.removePod(there);
        assert.equal(await node.sh(ours, 'echo inside'), 'inside');
        const again = await native.runPod();
        const kept = await native.runContainer(again);
        await node.removePod(here);
        assert.equal(await native.sh(kept, 'echo inside'), 'inside');
      } finally {
        await native.stop();
      }
    });

    test('what others removed behind our back is gone, and its network given back', async () => {
      const pod = await node.runPod();
      const [removed, left] = [await node.runContainer(pod), await node.runContainer(pod)];

      await docker.docker('DELETE', `/containers/${removed}?force=1`);
      await eventually(() => assertFails(node.client.containerStatus({ containerId: removed }), status.NOT_FOUND, /no such container/));
      await docker.docker('POST', `/containers/${pod.id}/kill`);

      await eventually(async () => assert.equal((await node.client.podSandboxStatus({ podSandboxId: pod.id })).status?.state, PodSandboxState.SANDBOX_NOTREADY));
      await assertFails(node.createContainer(pod), status.FAILED_PRECONDITION, /infra container ended/);
      assert.equal((await node.statusOf(left)).state, ContainerState.CONTAINER_RUNNING);
      await node.removePod(pod);
      assert.deepEqual(attachments().filter((name) => name.startsWith(pod.id)), []);
    });

    test('what the Engine cannot do is refused by name, before anything is made', async () => {
      const usernsOptions = message(UserNamespace, { mode: NamespaceMode.POD, uids: [{ containerId: 0, hostId: 100_000, length: 65_536 }], gids: [{ containerId: 0, hostId: 100_000, length: 65_536 }] });

      await assertFails(node.runPod({ namespaces: { usernsOptions } }), status.FAILED_PRECONDITION, /userns_options.*engine = "native" can/);
      await assertFails(node.client.runPodSandbox({ config: node.podConfig(), runtimeHandler: 'kata' }), status.INVALID_ARGUMENT, /the Docker Engine has no runtime "kata": it has .*runc/);
    });

    test('a pod that was being made when the daemon was killed is taken away', async () => {
      await node.daemon.restart('kill before RunPodSandbox/record');
      await assertFails(node.runPod({ name: 'half' }), status.UNAVAILABLE, /./);
      await node.daemon.kill9(); // waits for its end
      await node.daemon.restart();

      await eventually(async () => {
        const found = await docker.docker<{ Names: string[] }[]>('GET', '/containers/json?all=1');
        assert.deepEqual(found.filter(({ Names }) => Names[0]!.includes('half')), []);
        assert.deepEqual(attachments(), []);
        assert.deepEqual(readdirSync(path.join(node.daemon.paths.state, 'docker', 'pods')), []);
      });
    });

    test('while the Docker Engine is away calls are unavailable; when it is back everything is known again', async () => {
      const pod = await node.runPod();
      const id = await node.runContainer(pod, { script: 'trap "exit 3" TERM; while :; do sleep 0.1; done' });

      await docker.stop();
      await eventually(async () => {
        await assertFails(node.client.listContainers({}), status.UNAVAILABLE, /Docker Engine/);
        const { status: of } = await node.client.status({});
        assert.match(of?.conditions.find(({ type }) => type === 'RuntimeReady')?.message ?? '', /Docker Engine/);
      });
      await assertFails(node.runPod(), status.UNAVAILABLE, /Docker Engine/);
      await docker.start();

      await eventually(async () => assert.equal((await node.statusOf(id)).state, ContainerState.CONTAINER_EXITED), 30_000);
      assert.equal((await node.client.podSandboxStatus({ podSandboxId: pod.id })).status?.state, PodSandboxState.SANDBOX_NOTREADY);
      await node.removePod(pod);
      assert.deepEqual(attachments(), []);
    });
  });

  criContract('Gantry with a Docker Engine', {
    peer: false,
    start: async () => ({ client: node.client, image: node.image, logs: node.daemon.paths.logs, cgroupParent: node.daemon.cgroupParent, stop: async () => {} }),
  });
}
