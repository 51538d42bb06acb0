/** Exec, attach and port-forward through the whole daemon: the CRI's URL, a client as kubelets pass it on, and a container. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { spdyClient } from '../../src/face/spdy/spdy-client.fake.ts';
import type { SpdyClient } from '../../src/face/spdy/spdy-client.fake.ts';
import { WsClient } from '../../src/face/streaming/served-streams.fake.ts';
import { assertAnswersLines, openForwarded } from '../support/sessions.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';

const node = await startWorkload();
after(() => node.stop());
const { client } = node;
const pod = await node.runPod();
const containerId = await node.runContainer(pod, { script: 'mkdir /www; echo served >/www/index.html; httpd -p 8080 -h /www; while read -r line; do echo "got $line"; done', config: { stdin: true } });
const program = path.join(import.meta.dirname, '../../dist/main/gantry.js');
const gantry = `'${process.execPath}' '${program}'`;
const env = { ...process.env, GANTRY_SOCKET: node.daemon.paths.socket };
const plain = { containerId, tty: false, stdin: true, stdout: true, stderr: true };

async function opened(url: string, ...types: string[]): Promise<{ spdy: SpdyClient; stream: Record<string, number> }> {
  const spdy = await spdyClient(url, 'v4.channel.k8s.io');
  const stream: Record<string, number> = {};
  for (const type of types) stream[type] = await spdy.open({ streamtype: type });
  return { spdy, stream };
}

test('a command gets its input, and gives its output, its errors and its exit code', async () => {
  const { url } = await client.exec({ ...plain, cmd: ['sh', '-c', 'cat; echo trouble >&2; exit 7'] });

  const { spdy, stream } = await opened(url, 'error', 'stdin', 'stdout', 'stderr');
  spdy.send(stream['stdin']!, 'hello', true);

  assert.equal(await spdy.text(stream['stdout']!), 'hello');
  assert.equal(await spdy.text(stream['stderr']!), 'trouble\n');
  assert.match(await spdy.text(stream['error']!), /"reason":"ExitCode","message":"7"/);
});

test('a terminal has the size that the client says, also over WebSocket', async () => {
  const { url } = await client.exec({ ...plain, tty: true, stderr: false, cmd: ['sh', '-c', 'while [ "$(stty size 2>/dev/null)" != "33 101" ]; do sleep 0.05; done; tty; exit 5'] });

  const ws = new WsClient(url, 'v5.channel.k8s.io');
  await ws.opened;
  ws.send(4, '{"Width":101,"Height":33}');
  await ws.closed;

  assert.match(ws.of(1).toString(), /^\/dev\/pts\/\d+\r\n$/);
  assert.match(ws.of(3).toString(), /"reason":"ExitCode","message":"5"/);
});

test('a client that goes away takes its command with it', async () => {
  const { url } = await client.exec({ ...plain, cmd: ['sleep', '86123'] });
  const running = () => node.sh(containerId, 'ps | grep -c "[s]leep 86123" || true');

  const { spdy } = await opened(url, 'error', 'stdin', 'stdout', 'stderr');
  await eventually(async () => assert.equal((await running()).trim(), '1'));
  await spdy.end();

  await eventually(async () => assert.equal((await running()).trim(), '0'));
});

test('who attaches talks to the container itself', async () => {
  const { url } = await client.attach(plain);

  await assertAnswersLines(url);
});

test('a port of the pod is reached, and one that nobody listens on is told', async () => {
  const { url } = await client.portForward({ podSandboxId: pod.id, port: [] });
  const spdy = await spdyClient(url, 'portforward.k8s.io');

  const refused = await openForwarded(spdy, 8099, 1);
  assert.match(await spdy.text(refused.error), /8099.*nobody listens/);
  const served = await openForwarded(spdy, 8080, 2);
  spdy.send(served.data, 'GET / HTTP/1.0\r\n\r\n');
  assert.match(await spdy.text(served.data), /\r\n\r\nserved\n$/);
  assert.equal(await spdy.text(served.error), '');
  await spdy.end();
});

// As with kubectl the size comes a moment after the start; until then it may be 0 0, at which busybox's stty fails.
test("people's terminals are the command's, and theirs again after", async () => {
  const session = `stty rows 33 cols 101; ${gantry} exec -it ${containerId} sh -c "until stty size 2>/dev/null | grep -q '^33 101'; do sleep 0.05; done; stty size; stty -a | grep -o '[-]*icanon'; read -r word; echo got \\$word; exit 5"; echo code $?; stty -a | grep -o -- '-*icanon'`;
  const script = spawn('script', ['-qec', session, '/dev/null'], { env });
  script.stdin.write('typed\n');

  const shown = (await text(script.stdout)).replaceAll('\r', '');

  assert.match(shown, /33 101\n(.*\n)*icanon\n(.*\n)*got typed\ncode 5\nicanon\n$/);
});

test("people's pipes and ports reach the container, and an interrupt ends a forwarder in order", async () => {
  const cat = spawn('sh', ['-c', `printf 'through a pipe' | ${gantry} exec -i ${containerId} -- cat`], { env });
  assert.equal(await text(cat.stdout), 'through a pipe');

  const forwarder = spawn(process.execPath, [program, 'port-forward', '--address', '127.0.0.1', pod.id, ':8080'], { env });
  const [line] = (await once(createInterface(forwarder.stdout), 'line')) as [string];
  const local = /^Forwarding from 127\.0\.0\.1:(\d+) -> 8080$/.exec(line)?.[1];
  assert.equal(await (await fetch(`http://127.0.0.1:${local}/`)).text(), 'served\n');
  forwarder.kill('SIGINT');
  assert.deepEqual(await once(forwarder, 'exit'), [0, null]);
});

test('what can be refused is refused before a URL is given', async () => {
  const unknown = 'f'.repeat(64);

  await assertFails(client.exec({ ...plain, containerId: unknown, cmd: ['true'] }), status.NOT_FOUND, /f{64}/);
  await assertFails(client.attach({ ...plain, containerId: unknown }), status.NOT_FOUND, /f{64}/);
  await assertFails(client.portForward({ podSandboxId: unknown, port: [80] }), status.NOT_FOUND, /f{64}/);
});

test('a command whose daemon was killed is ended by the next one', async () => {
  const { url } = await client.exec({ ...plain, cmd: ['sleep', '86124'] });
  const running = () => node.sh(containerId, 'ps | grep -c "[s]leep 86124" || true');
  const { spdy } = await opened(url, 'error', 'stdin', 'stdout', 'stderr');
  await eventually(async () => assert.equal((await running()).trim(), '1'));

  await node.daemon.kill9();
  await spdy.end();
  await node.daemon.restart();

  await eventually(async () => assert.equal((await running()).trim(), '0'));
});
