/** Pods of handler `runsc`: their containers share one gVisor sandbox, beside pods of the node's own runtime. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { LinuxContainerResources, NamespaceMode, PodSandboxState } from '../../src/gen/cri.ts';
import { spdyClient } from '../../src/face/spdy/spdy-client.fake.ts';
import { WsClient } from '../../src/face/streaming/served-streams.fake.ts';
import { message } from '../support/cri-messages.ts';
import { assertAnswersLines, openForwarded } from '../support/sessions.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

// It has an OCI runtime of its own: once is enough.
if (process.env.RUNTIME === 'runc') test('gVisor', (t) => t.skip('tested in the pass of crun'));
else await testSandboxes();

async function testSandboxes(): Promise<void> {
  const node = await startWorkload({ config: '[runtime.handlers.runsc]\npath = "/usr/bin/runsc"\n' });
  after(() => node.stop());
  const { client } = node;
  const pod = await node.runPod({}, 'runsc');
  const containerId = await node.runContainer(pod, { script: 'echo begun; echo trouble >&2; mkdir /www; echo served >/www/index.html; httpd -p 8080 -h /www; while read -r line; do echo "got $line"; done', config: { stdin: true } });
  const session = { containerId, tty: false, stdin: true, stdout: true, stderr: true };

  test('a container runs on the kernel of gVisor, and one of another pod beside it on the node\'s', async () => {
    const beside = await node.outputOf(await node.runPod(), { script: 'cat /proc/version' });

    assert.match(await node.sh(containerId, 'dmesg'), /Starting gVisor/);
    assert.notEqual(await node.sh(containerId, 'cat /proc/version'), beside.trim());
  });

  test('both of its streams are in its log, line by line', async () => {
    const lines = (await node.log(containerId)).map(({ stream, text }) => `${stream}: ${text.trimEnd()}`);

    assert.deepEqual(lines.slice(0, 2).sort(), ['stderr: trouble', 'stdout: begun']);
  });

  test('the containers of a pod share their network, and each ends with a code of its own', async () => {
    assert.match(await node.outputOf(pod, { script: 'printf "GET / HTTP/1.0\\r\\n\\r\\n" | nc 127.0.0.1 8080' }), /served/);
    const failing = await node.runContainer(pod, { script: 'exit 7' });

    assert.equal((await node.ended(failing)).exitCode, 7);
  });

  test('the pod has the address that its network gave it, for others to connect to', async () => {
    const address = await node.addressOf(pod);
    const beside = await node.runPod();

    assert.match(await node.outputOf(beside, { script: `printf "GET / HTTP/1.0\\r\\n\\r\\n" | nc ${address} 8080` }), /served/);
  });

  test('a command has its input, a terminal where it wants one, and its exit code', async () => {
    assert.equal((await client.execSync({ containerId, cmd: ['sh', '-c', 'exit 3'], timeout: 10n })).exitCode, 3);
    const { url } = await client.exec({ ...session, tty: true, stderr: false, cmd: ['sh', '-c', 'until stty size | grep "33 101"; do sleep 0.1; done; read line; echo "<$line>"; exit 5'] });
    const ws = new WsClient(url, 'v5.channel.k8s.io');
    await ws.opened;
    ws.send(4, '{"Width":101,"Height":33}');
    ws.send(0, 'words\n');
    await ws.closed;

    assert.match(ws.of(1).toString(), /<words>\r\n/);
    assert.match(ws.of(3).toString(), /"reason":"ExitCode","message":"5"/);
  });

  test('all streams of a command on a terminal are that terminal, every time', async () => {
    const sizesSeen = async (): Promise<string> => {
      const { url } = await client.exec({ ...session, tty: true, stderr: false, cmd: ['sh', '-c', 'stty size <&1 && stty size <&2'] });
      const ws = new WsClient(url, 'v5.channel.k8s.io');
      await ws.opened;
      ws.send(4, '{"Width":101,"Height":33}');
      await ws.closed;
      return ws.of(1).toString();
    };

    for (let n = 0; n < 8; n++) assert.match(await sizesSeen(), /^\d+ \d+\r\n\d+ \d+\r\n$/);
  });

  test('who attaches talks to the container itself', async () => {
    const { url } = await client.attach(session);
    await assertAnswersLines(url);
  });

  test('a container that was never started is removed, and its sandbox goes on', async () => {
    const created = await node.createContainer(pod);

    await client.removeContainer({ containerId: created });

    assert.equal((await client.podSandboxStatus({ podSandboxId: pod.id })).status?.state, PodSandboxState.SANDBOX_READY);
  });

  test('a pod survives the daemon: its containers go on, and one made before it is started after', async () => {
    const created = await node.createContainer(pod, { script: 'echo late; exit 4' });

    await node.daemon.kill9();
    await node.daemon.restart();

    assert.match(await node.sh(containerId, 'dmesg'), /Starting gVisor/);
    await client.startContainer({ containerId: created });
    assert.equal((await node.ended(created)).exitCode, 4);
    assert.match(JSON.stringify(await node.log(created)), /late/);
  });

  test('a container obeys its stop signal', async () => {
    const id = await node.runContainer(pod, { script: 'trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done' });
    await eventually(async () => assert.match(JSON.stringify(await node.log(id)), /ready/));

    await client.stopContainer({ containerId: id, timeout: 10n });

    assert.equal((await node.statusOf(id)).exitCode, 9);
  });

  test('a container in a sandbox of its own is measured, and of several only the CPU time is known', async () => {
    const alone = await node.runPod({}, 'runsc');
    const busy = { script: 'while :; do :; done' };
    const atWork = (containerId: string) => eventually(async () => {
      const { stats } = await client.containerStats({ containerId });
      assert.ok(stats!.cpu!.usageCoreNanoSeconds!.value > 0n);
      return stats;
    });
    const single = await atWork(await node.runContainer(alone, busy));
    const second = await atWork(await node.runContainer(alone, busy));
    const { stats: whole } = await client.podSandboxStats({ podSandboxId: alone.id });

    assert.ok(single!.memory!.workingSetBytes!.value > 1n << 20n);
    assert.equal(second!.memory, undefined);
    assert.ok(whole!.linux!.memory!.workingSetBytes!.value > 1n << 20n);
    assert.deepEqual([whole!.linux!.containers.length, whole!.linux!.network!.defaultInterface!.name], [2, 'eth0']);
    await node.removePod(alone);
  });

  test('at its timeout a command is killed with its children', async () => {
    await assertFails(client.execSync({ containerId, cmd: ['sh', '-c', 'sleep 20001 & sleep 20002'], timeout: 1n }), status.DEADLINE_EXCEEDED, /timed out after 1 s; its processes were killed/);

    assert.doesNotMatch(await node.sh(containerId, 'ps'), /sleep 2000/);
  });

  test('a port of the pod is reached, and one that nobody listens on is told', async () => {
    const { url } = await client.portForward({ podSandboxId: pod.id, port: [] });
    const spdy = await spdyClient(url, 'portforward.k8s.io');

    const refused = await openForwarded(spdy, 8099, 1);
    assert.match(await spdy.text(refused.error), /nobody listens on port 8099 of 10\./);
    const served = await openForwarded(spdy, 8080, 2);
    spdy.send(served.data, 'GET / HTTP/1.0\r\n\r\n');
    assert.match(await spdy.text(served.data), /\r\n\r\nserved\n$/);
    await spdy.end();
  });

  test('a pod that outgrows its memory ends, and its containers say why', async () => {
    const { linux } = node.podConfig({ name: 'small' });
    const resources = message(LinuxContainerResources, { memoryLimitInBytes: 96n << 20n });
    const small = await node.runPod({ name: 'small', config: { linux: { ...linux!, resources } } }, 'runsc');
    const id = await node.runContainer(small, { script: 'dd if=/dev/zero of=/dev/null bs=300M count=1' });

    const { exitCode, reason } = await node.ended(id);
    assert.deepEqual({ exitCode, reason }, { exitCode: 137, reason: 'OOMKilled' });
  });

  test('what gVisor cannot do is refused with a reason', async () => {
    await assertFails(node.runPod({ namespaces: { network: NamespaceMode.NODE } }, 'runsc'), status.FAILED_PRECONDITION, /namespace_options\.network: handler runsc runs pods in gVisor sandboxes, whose own network cannot be the node's: give the handler the flag --network=host/);
    await assertFails(client.updateContainerResources({ containerId, linux: message(LinuxContainerResources, { cpuShares: 100n }), windows: undefined, annotations: {} }), status.FAILED_PRECONDITION, /gVisor cannot change the limits/);
  });

  test('a program that is not there fails the start with the words of gVisor, and the container has ended', async () => {
    const id = await node.createContainer(pod, { command: ['/no/such/program'] });

    await assertFails(client.startContainer({ containerId: id }), status.FAILED_PRECONDITION, /start container .*runsc: .*no\/such\/program.*no such file/);
    await node.ended(id);
  });

  test("the node's /dev/null is still root's: gVisor gives its standard streams to the user it runs as", () => {
    assert.deepEqual([statSync('/dev/null').uid, statSync('/dev/null').gid], [0, 0]);
  });

  test('of all these pods nothing is left once they are removed, the firewall rules of their addresses neither', async () => {
    await assertRemovalLeavesNothing(node.daemon);
  });
}
