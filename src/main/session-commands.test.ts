/** `gantry exec`, `attach` and `port-forward` against a real server of sessions, whose containers are programs of this machine. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { ContainerState, PodSandboxState, type Container, type PodSandbox } from '../gen/cri.ts';
import { fakeRuntime, runCommand, type FakeRuntime } from '../face/cli/runtime.fake.ts';
import { runCliCommand } from '../face/cli/commands.ts';
import type { LocalTerminal, TerminalSize } from '../face/cli/session/local-terminal.ts';
import { servedStreams, until, type Served } from '../face/streaming/served-streams.fake.ts';
import type { AdmittedExec } from '../face/streaming/tickets.ts';

interface Bed extends Served {
  readonly fake: FakeRuntime;
  /** Runs `gantry exec` with these flags; what is run in the container is given apart. */
  run(flags: readonly string[], program: readonly string[], more?: Parameters<typeof runCommand>[2]): ReturnType<typeof runCommand>;
}

/** One pod, `shop/web`, with one container, `server`. */
async function bed(t: TestContext): Promise<Bed> {
  const served = await servedStreams(t);
  const fake = await fakeRuntime(t);
  const plain = { labels: {}, annotations: {}, createdAt: 1n };
  fake.pods.set('p1', { ...plain, id: 'p1', metadata: { name: 'web', namespace: 'shop', uid: 'u', attempt: 0 }, state: PodSandboxState.SANDBOX_READY } as PodSandbox);
  fake.containers.set('c1', { ...plain, id: 'c1', podSandboxId: 'p1', metadata: { name: 'server', attempt: 0 }, state: ContainerState.CONTAINER_RUNNING, exitCode: 0, logPath: '' } as Container & { exitCode: number; logPath: string });
  return {
    ...served, fake,
    async run(flags, program, more) {
      const [stdin, tty] = [flags.some((flag) => /^-\w*i/.test(flag)), flags.some((flag) => /^-\w*t/.test(flag))];
      fake.urls.push(await served.exec(program, { stdin, tty, stderr: !tty }));
      return runCommand(fake.socket, ['exec', ...flags, 'web', ...program], more);
    },
  };
}

/** A terminal of so many columns that notes when it is raw. */
function fakeTerminal(): LocalTerminal & { readonly modes: string[]; resize(size: TerminalSize): void } {
  let listener: (size: TerminalSize) => void = () => {};
  const modes: string[] = [];
  return {
    modes,
    size: () => ({ columns: 80, rows: 24 }),
    onResize: (given) => {
      listener = given;
      return () => void modes.push('unheard');
    },
    makeRaw: () => {
      modes.push('raw');
      return () => void modes.push('back');
    },
    resize: (size) => listener(size),
  };
}

test('exec hands on output and errors apart, and the exit code; input only with -i', async (t) => {
  const { run, fake } = await bed(t);

  assert.deepEqual(await run([], ['sh', '-c', 'cat; echo trouble >&2; exit 7'], { stdin: 'unread' }), { code: 7, out: '', err: 'trouble\n' });
  assert.deepEqual(await run(['-i'], ['sh', '-c', 'cat; exit 3'], { stdin: 'read to its end' }), { code: 3, out: 'read to its end', err: '' });
  assert.deepEqual(await run(['-i'], ['true'], { stdin: new PassThrough() }), { code: 0, out: '', err: '' });
  assert.deepEqual(fake.calls.map((call) => call.replace(/.* (?=stdin|stdout)/, '')), ['stdout stderr', 'stdout stderr', 'stdout stderr']);
});

test("a command after -- is docker's command without it", async (t) => {
  const { fake, exec } = await bed(t);

  for (const argv of [['--', 'web', 'echo', '-i'], ['web', '--', 'echo', '-i'], ['web', 'echo', '-i']]) {
    fake.urls.push(await exec(['true'], { stdin: false }));
    assert.equal((await runCommand(fake.socket, ['exec', ...argv])).code, 0);
    assert.equal(fake.calls.at(-1), 'exec echo -i stdout stderr');
  }
});

test('many megabytes pass through exec unharmed', async (t) => {
  const { run } = await bed(t);
  const much = 'many words '.repeat(700_000);

  const { out, code } = await run(['-i'], ['cat'], { stdin: much });

  assert.ok(code === 0 && out === much, `${out.length} of ${much.length} characters`);
});

test("with -it our terminal is the command's: raw, with its sizes, and put back after", async (t) => {
  const { run, engine } = await bed(t);
  const [terminal, stdin] = [fakeTerminal(), new PassThrough()];

  const running = run(['-it'], ['cat'], { terminal, stdin });
  await until(() => engine.sizes.length === 1);
  terminal.resize({ columns: 132, rows: 50 });
  await until(() => engine.sizes.length === 2);
  stdin.end('typed \x10 but not left\x10');

  assert.deepEqual(await running, { code: 0, out: 'typed \x10 but not left\x10', err: '' });
  assert.deepEqual(engine.sizes, [{ columns: 80, rows: 24 }, { columns: 132, rows: 50 }]);
  assert.deepEqual(terminal.modes, ['raw', 'back', 'unheard']);
});

test('the detach keys leave a command, which ends', async (t) => {
  const { run, engine } = await bed(t);

  for (const [flags, keys] of [[['-it'], '\x10\x11'], [['-it', '--detach-keys', 'ctrl-x,y'], '\x18y']] as const) {
    const [terminal, stdin] = [fakeTerminal(), new PassThrough()];
    const running = run(flags, ['cat'], { terminal, stdin });
    await until(() => engine.going === 1);
    stdin.write(keys.slice(0, 1));
    stdin.write(keys.slice(1));

    assert.equal((await running).code, 0);
    assert.ok(terminal.modes.includes('back'));
    await until(() => engine.going === 0);
  }
});

test('the terminal is put back when the other side breaks off, and the sentence says so', async (t) => {
  const { fake } = await bed(t);
  const server = http.createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n');
    setTimeout(() => socket.destroy(), 50);
  });
  fake.urls.push(`http://127.0.0.1:${(server.address() as net.AddressInfo).port}/exec/x`);

  const { code, err } = await runCommand(fake.socket, ['exec', '-it', 'web', 'sh'], { terminal: fakeTerminal(), stdin: new PassThrough() });

  assert.equal(code, 1);
  assert.match(err, /^gantry exec: open stream \w+: the connection is gone\n$/);
});

test('a stop of the daemon is told, and the terminal put back', async (t) => {
  const { run, engine, server } = await bed(t);
  const terminal = fakeTerminal();

  const running = run(['-it'], ['cat'], { terminal, stdin: new PassThrough() });
  await until(() => engine.going === 1);
  await server.close(1000);

  assert.match((await running).err, /^gantry exec: exec in container shop\/web\/server: exec in container c: gantry is stopping/);
  assert.deepEqual(terminal.modes, ['raw', 'back', 'unheard']);
});

test('an interrupt ends the command and gives 130', async (t) => {
  const { run, engine } = await bed(t);
  const interrupt = new AbortController();

  const running = run([], ['sleep', '600'], { signal: interrupt.signal });
  await until(() => engine.going === 1);
  interrupt.abort();

  assert.deepEqual(await running, { code: 130, out: '', err: 'gantry exec: interrupted\n' });
  await until(() => engine.going === 0);
});

test('a ticket that is used up, and a server that is not there, are told', async (t) => {
  const { run, fake, exec } = await bed(t);
  const url = await exec(['true'], { stdin: false });
  fake.urls.push(url, url);

  assert.equal((await runCommand(fake.socket, ['exec', 'web', 'true'])).code, 0);
  assert.match((await runCommand(fake.socket, ['exec', 'web', 'true'])).err, /exec in container shop\/web\/server: the runtime's stream server refused with 404: /);
  fake.urls.push('http://127.0.0.1:1/exec/x');
  assert.match((await runCommand(fake.socket, ['exec', 'web', 'true'])).err, /exec in container shop\/web\/server: connect ECONNREFUSED/);
  assert.equal((await run([], ['true'])).code, 0);
});

test('attach joins the container, and the detach keys leave it going', async (t) => {
  const { fake, server } = await bed(t);
  const attached: Omit<AdmittedExec, 'kind' | 'command'> = { containerId: 'c', stdin: true, stdout: true, stderr: false, tty: true };
  fake.urls.push(await server.offer({ kind: 'attach', ...attached, container: { tty: true, stdin: true } }));
  const [terminal, stdin] = [fakeTerminal(), new PassThrough()];
  fake.terminalContainers.add('c1');

  const running = runCommand(fake.socket, ['attach', 'web'], { terminal, stdin });
  stdin.write('hello');
  await until(() => terminal.modes.includes('raw'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  stdin.write('\x10\x11');

  assert.deepEqual(await running, { code: 0, out: 'attached\nhello', err: 'nothing there? press enter\n\nleft shop/web/server, which goes on\n' });
  assert.match((await runCommand(fake.socket, ['attach', 'web'])).err, /the input device is not a TTY, and the container has one: use --no-stdin/);
});

test('attach without input watches until the container ends, and gives its exit code', async (t) => {
  const { fake, server, engine } = await bed(t);
  Object.assign(engine, { attach: async (_id: string, { stdout, stderr }: { stdout: PassThrough; stderr: PassThrough }) => {
    stdout.end('last words\n');
    stderr.end();
    // As with containerd, which learns of the end after the streams did.
    setTimeout(() => Object.assign(fake.containers.get('c1')!, { state: ContainerState.CONTAINER_EXITED, exitCode: 9 }), 150);
  } });
  fake.urls.push(await server.offer({ kind: 'attach', containerId: 'c', stdin: false, stdout: true, stderr: true, tty: false, container: { tty: false, stdin: false } }));

  assert.deepEqual(await runCommand(fake.socket, ['attach', '--no-stdin', 'web']), { code: 9, out: 'last words\n', err: '' });
});

/** `gantry port-forward` that runs until `stop`; what it said so far. */
function forwarding(t: TestContext, socket: string, ...argv: string[]) {
  const interrupt = new AbortController();
  t.after(() => interrupt.abort());
  const said = { out: '', err: '' };
  const streams = { stdout: new PassThrough(), stderr: new PassThrough(), stdin: new PassThrough() };
  streams.stdout.on('data', (chunk) => (said.out += String(chunk)));
  streams.stderr.on('data', (chunk) => (said.err += String(chunk)));
  const code = runCliCommand(['port-forward', ...argv], { ...streams, env: { GANTRY_SOCKET: socket }, stdoutIsTerminal: false, stderrIsTerminal: false, signal: interrupt.signal, version: '1' });
  const stop = () => {
    interrupt.abort();
    return code;
  };
  return { said, code, stop };
}

test('port-forward joins local ports to ports of the pod, each way to its own end, and one without a listener alone is told', async (t) => {
  const { fake, server } = await bed(t);
  const echo = net.createServer({ allowHalfOpen: true }, async (socket) => socket.end(`you said ${await text(socket)}`)).listen(0, '127.0.0.1');
  t.after(() => echo.close());
  await once(echo, 'listening');
  const { port } = echo.address() as net.AddressInfo;
  for (let n = 0; n < 4; n++) fake.urls.push(await server.offer({ kind: 'portforward', podId: 'p1', ports: [] }));

  const { said, stop } = forwarding(t, fake.socket, '--address', '127.0.0.1', 'pod/web', `:${port}`, '0:1');
  await until(() => /-> 1\n/.test(said.out));
  const [local, unheard] = [...said.out.matchAll(/^Forwarding from 127\.0\.0\.1:(\d+) -> \d+$/gm)].map(([, one]) => Number(one));
  const talk = async (to: number, words: string) => text(net.connect({ port: to, host: '127.0.0.1', allowHalfOpen: true }).end(words));

  assert.equal(await talk(local!, 'hello'), 'you said hello');
  assert.equal(await talk(unheard!, 'hello'), '');
  assert.equal(await talk(local!, 'again'), 'you said again');
  assert.equal(said.err, `gantry port-forward: connection for ${unheard}: connect to port 1 of pod p1: nobody listens there\n`);
  assert.equal(said.out.split('\n').filter((line) => line === `Handling connection for ${local}`).length, 2);
  assert.equal(await stop(), 0);
  await until(() => server.load.sessions === 0);
});

test('port-forward goes on with the ports it can listen on, fails without any, and ends with the pod', async (t) => {
  const { fake } = await bed(t);
  const taken = net.createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;

  const none = forwarding(t, fake.socket, '--address', '127.0.0.1', 'web', `${port}:80`);
  assert.equal(await none.code, 1);
  assert.equal(none.said.err, `gantry port-forward: can't listen on 127.0.0.1:${port}: something else listens there\n`);
  const some = forwarding(t, fake.socket, '--address', '127.0.0.1', 'web', `${port}:80`, ':81');
  await until(() => some.said.out.includes('-> 81'));
  assert.equal(await some.stop(), 0);
  for (const wrong of ['0', '70000', 'x:80', '80:', '1:2:3']) assert.match((await runCommand(fake.socket, ['port-forward', 'web', wrong])).err, /is no port to forward: \[LOCAL:\]REMOTE/);
  fake.failures.set('port-forward 80', 'the pod is gone');
  assert.match((await runCommand(fake.socket, ['port-forward', 'web', '80'])).err, /forward port of pod shop\/web: the pod is gone/);
});
