import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { DiskUsageResponse, ListLeaksResponse, Pull } from '../../gen/admin.ts';
import { cliCommands } from './commands.ts';
import { imageSpec } from './image-spec.ts';
import { fakeRuntime, runCommand, type FakeRuntime } from './runtime.fake.ts';

/** Pods shop/web with containers server and helper, and shop/db with db: all running. */
async function populate(fake: FakeRuntime): Promise<void> {
  const call = <T>(name: string, request: object) => fake.methods[name]!(request as never) as T;
  for (const [pod, names] of [['web', ['server', 'helper']], ['db', ['db']]] as const) {
    const sandboxConfig = { metadata: { name: pod, namespace: 'shop', uid: pod, attempt: 0 }, labels: {}, annotations: {}, logDirectory: path.dirname(fake.socket) };
    const { podSandboxId } = call<{ podSandboxId: string }>('runPodSandbox', { config: sandboxConfig });
    for (const name of names) {
      const config = { metadata: { name, attempt: 0 }, image: { ...imageSpec('sha256:i'), userSpecifiedImage: 'r/x:1' }, labels: {}, annotations: { 'io.kubernetes.pod.terminationGracePeriod': '4' }, logPath: `${name}.log` };
      const { containerId } = call<{ containerId: string }>('createContainer', { podSandboxId, config, sandboxConfig });
      call('startContainer', { containerId });
    }
  }
  fake.calls.length = 0;
}

test('every command explains itself, with an example of its own', async () => {
  for (const { name, usage } of cliCommands) {
    const { code, out } = await runCommand('/nowhere', [name, '--help']);

    assert.equal(code, 0);
    assert.ok(out.startsWith(`Usage: ${usage}\n`), name);
    assert.match(out, new RegExp(`Examples?:\\n  gantry ${name}`));
  }
});

test('a wrong command line is refused before anything is asked of the daemon', async () => {
  assert.deepEqual(await runCommand('/nowhere', ['ps', '--fancy']), { code: 2, out: '', err: 'gantry ps: unknown flag --fancy, see gantry ps --help\n' });
  assert.deepEqual(await runCommand('/nowhere', ['exec', 'web']), { code: 2, out: '', err: 'gantry exec: COMMAND is missing, see gantry exec --help\n' });
  assert.equal((await runCommand('/nowhere', ['dance'])).code, 2);
  assert.match((await runCommand('/nowhere', ['logs', '--since', 'tomorrow', 'x'])).err, /--since wants an age such as 10m/);
});

test('without a daemon the message says how to start it', async () => {
  assert.deepEqual(await runCommand('/nowhere/x.sock', ['pods']), {
    code: 1, out: '', err: 'gantry pods: no daemon answers at /nowhere/x.sock: start it with `gantry serve`, or name its socket with --socket\n',
  });
});

test('image ls and image inspect say what images and inspect say', async (t) => {
  const fake = await fakeRuntime(t);
  await populate(fake);
  fake.addImage('localhost:5000/demo/busybox:1');
  const gantry = async (...words: string[]) => await runCommand(fake.socket, words);

  for (const flags of [[], ['-q'], ['--no-trunc'], ['-o', 'json']]) assert.deepEqual(await gantry('image', 'ls', ...flags), await gantry('images', ...flags), flags.join(' '));
  const inspected = await gantry('image', 'inspect', 'localhost:5000/demo/busybox:1');
  assert.deepEqual(inspected, await gantry('inspect', 'localhost:5000/demo/busybox:1'));
  assert.equal((JSON.parse(inspected.out) as { kind: string }).kind, 'image');
  assert.deepEqual(await gantry('image', 'inspect', 'shop/web'), { code: 1, out: '', err: 'gantry image inspect: inspect image shop/web: nothing on this node has this name or id\n' });
  assert.equal((await gantry('image', 'ls', 'busybox')).err, 'gantry image ls: one word too many: "busybox", see gantry image ls --help\n');
});

test('lists are tables, ids or CRI messages in JSON', async (t) => {
  const fake = await fakeRuntime(t);
  await populate(fake);
  fake.addImage('localhost:5000/demo/busybox:1');

  const table = (await runCommand(fake.socket, ['ps'])).out.split('\n');
  assert.match(table[0]!, /^CONTAINER ID +NAME +POD +STATE +AGE +ATTEMPT +IMAGE$/);
  assert.match(table[1]!, /^636f00000000\d +db +shop\/db +running +now +0 +r\/x:1$/);
  assert.equal((await runCommand(fake.socket, ['ps', '-q', '--no-trunc', '--pod', 'db'])).out.trim().length, 64);
  const { containers } = JSON.parse((await runCommand(fake.socket, ['ps', '-o', 'json'])).out) as { containers: { state: string; createdAt: string }[] };
  assert.deepEqual([containers.length, containers[0]!.state, typeof containers[0]!.createdAt], [3, 'CONTAINER_RUNNING', 'string']);
  assert.match((await runCommand(fake.socket, ['pods'])).out, /db +shop +ready +now +0 +-/);
  assert.match((await runCommand(fake.socket, ['images'])).out, /^IMAGE +TAG +IMAGE ID +SIZE\nlocalhost:5000\/demo\/busybox +1 +\w{13} +1\.5 MB\n$/);
});

test('ps shows what runs, and with -a the rest too', async (t) => {
  const fake = await fakeRuntime(t);
  await populate(fake);
  await runCommand(fake.socket, ['stop', 'db/db']);

  assert.equal((await runCommand(fake.socket, ['ps', '-q'])).out.split('\n').length - 1, 2);
  assert.equal((await runCommand(fake.socket, ['ps', '-aq'])).out.split('\n').length - 1, 3);
});

test('exec hands on what the command wrote, and its code', async (t) => {
  const fake = await fakeRuntime(t);
  await populate(fake);

  assert.deepEqual(await runCommand(fake.socket, ['exec', '--timeout', '1500ms', 'web/server', 'sh', '-c', 'x', '--help']), { code: 7, out: 'out\n', err: 'err\n' });
  assert.deepEqual(fake.calls, ['exec sh -c x --help 2']);
  assert.match((await runCommand(fake.socket, ['exec', '-i', '--timeout', '1s', 'web/server', 'sh'])).err, /--timeout is for commands without -i and -t/);
  assert.match((await runCommand(fake.socket, ['exec', '-it', 'web/server', 'sh'])).err, /the input device is not a TTY: leave out -t/);
  assert.match((await runCommand(fake.socket, ['exec', 'web/server', '--'])).err, /COMMAND is missing/);
});

test('pull prints the id, and takes credentials from the flag, from stdin or from the environment', async (t) => {
  const fake = await fakeRuntime(t);
  const credentials = () => [fake.pulls.at(-1)!.auth?.username, fake.pulls.at(-1)!.auth?.password];

  const { code, out } = await runCommand(fake.socket, ['pull', 'r/x:1']);
  assert.deepEqual([code, out.slice(0, 7), fake.pulls[0]!.auth], [0, 'sha256:', undefined]);
  await runCommand(fake.socket, ['pull', '--creds', 'u:p:q', 'r/x:1']);
  assert.deepEqual(credentials(), ['u', 'p:q']);
  await runCommand(fake.socket, ['pull', '--creds', '-', 'r/x:1'], { stdin: 'me:secret\nmore\n' });
  assert.deepEqual(credentials(), ['me', 'secret']);
  await runCommand(fake.socket, ['pull', 'r/x:1'], { env: { GANTRY_CREDS: 'e:f' } });
  assert.deepEqual(credentials(), ['e', 'f']);
  assert.deepEqual(await runCommand(fake.socket, ['pull', '--creds', 'secretword', 'r/x:1']), { code: 2, out: '', err: 'gantry pull: --creds wants USER:PASSWORD, see gantry pull --help\n' });
});

test("a registry's words reach the terminal without its control characters", async (t) => {
  const fake = await fakeRuntime(t);
  fake.failures.set('pull r/x:1', 'denied \u001b[2Jby registry');

  assert.equal((await runCommand(fake.socket, ['pull', 'r/x:1'])).err, 'gantry pull: pull image r/x:1: denied \\x1b[2Jby registry\n');
});

test('stop takes the grace period of the pod, or the one that was asked for', async (t) => {
  const fake = await fakeRuntime(t);
  await populate(fake);

  assert.equal((await runCommand(fake.socket, ['stop', 'web/server', 'helper'])).out, 'web/server\nhelper\n');
  await runCommand(fake.socket, ['stop', '--timeout', '0', 'shop/db']);
  assert.deepEqual(fake.calls, ['stop server after 4', 'stop helper after 4', 'stop db after 0', 'stop pod db']);
});

test('one name that means nothing does not keep the others from being stopped', async (t) => {
  const fake = await fakeRuntime(t);
  await populate(fake);

  assert.deepEqual(await runCommand(fake.socket, ['stop', 'nobody', 'web/server']), { code: 1, out: 'web/server\n', err: 'gantry stop: stop nobody: nothing on this node has this name or id\n' });
});

test('rm refuses what runs or is used, and --force does not', async (t) => {
  const fake = await fakeRuntime(t);
  await populate(fake);
  fake.addImage('r/x:1');
  for (const one of fake.containers.values()) one.imageRef = fake.images[0]!.id;

  assert.match((await runCommand(fake.socket, ['rm', 'web/server'])).err, /remove container shop\/web\/server: it runs: stop it first, or use --force/);
  assert.match((await runCommand(fake.socket, ['rm', 'shop/web'])).err, /remove pod shop\/web: it runs helper, server: stop it first/);
  assert.match((await runCommand(fake.socket, ['rm', 'r/x:1'])).err, /remove image r\/x:1: container .* uses it: remove that first, or use --force/);
  assert.deepEqual(fake.calls, []);
  assert.equal((await runCommand(fake.socket, ['rm', '-f', 'web/server', 'shop/web', 'r/x:1'])).code, 0);
  assert.deepEqual(fake.calls, ['rm server', 'stop pod web', 'rm pod web', `rmi ${fake.images[0]!.id}`]);
});

test('inspect finds pods, containers and images, and prints status and info', async (t) => {
  const fake = await fakeRuntime(t);
  await populate(fake);
  fake.addImage('r/x:1');
  const kindOf = async (word: string) => (JSON.parse((await runCommand(fake.socket, ['inspect', word])).out) as { kind: string; info: unknown }).kind;

  assert.deepEqual([await kindOf('shop/web'), await kindOf('helper'), await kindOf('r/x:1')], ['pod', 'container', 'image']);
  assert.deepEqual((JSON.parse((await runCommand(fake.socket, ['inspect', 'shop/web'])).out) as { info: unknown }).info, { info: { pid: 7 } });
});

test('logs go to the stream they came from', async (t) => {
  const fake = await fakeRuntime(t);
  await populate(fake);
  await mkdir(fake.folder, { recursive: true });
  await writeFile(path.join(fake.folder, 'server.log'), '2026-01-01T00:00:00Z stdout F one\n2026-01-01T00:00:01Z stderr F two\n');

  assert.deepEqual(await runCommand(fake.socket, ['logs', 'web/server']), { code: 0, out: 'one\n', err: 'two\n' });
  assert.equal((await runCommand(fake.socket, ['logs', '-t', '-n1', 'server'])).err, '2026-01-01T00:00:01Z two\n');
  assert.match((await runCommand(fake.socket, ['logs', 'helper'])).err, /the container wrote nothing yet, or its log was removed/);
  assert.match((await runCommand(fake.socket, ['logs', 'web'])).err, /find container web: this may be container shop\/web\/\w+/);
});

test('logs have the habits of their namesakes: all lines, a time, the attempt before', async (t) => {
  const fake = await fakeRuntime(t);
  await populate(fake);
  const [first] = [...fake.containers.values()];
  fake.containers.set('636f9', { ...first!, id: '636f9', createdAt: first!.createdAt + 1n, logPath: path.join(fake.folder, 'second.log') });
  await writeFile(path.join(fake.folder, 'server.log'), '2026-01-01T00:00:00Z stdout F one\n2026-01-01T00:00:01Z stdout F two\n');
  await writeFile(path.join(fake.folder, 'second.log'), '2026-01-01T00:00:02Z stdout F three\n');
  const out = async (...argv: string[]) => (await runCommand(fake.socket, ['logs', ...argv, 'web/server'])).out;

  assert.equal(await out(), 'three\n');
  for (const all of [['-p'], ['-p', '--tail', 'all'], ['--previous', '--tail=-1']]) assert.equal(await out(...all), 'one\ntwo\n');
  assert.equal(await out('-p', '--since-time', '2026-01-01T00:00:01Z'), 'two\n');
  assert.match((await runCommand(fake.socket, ['logs', '-p', 'db'])).err, /find container shop\/db\/db: there was no attempt before this one, or it was removed/);
  assert.match((await runCommand(fake.socket, ['logs', '--since', '1h', '--since-time', 'x', 'db'])).err, /give one/);
  assert.match((await runCommand(fake.socket, ['logs', '--since-time', '10m', 'db'])).err, /--since-time wants a time such as/);
});

test('version names both ends', async (t) => {
  const fake = await fakeRuntime(t);

  assert.match((await runCommand(fake.socket, ['version'])).out, /^client: +gantry 1\.2\.3 \(node .*\)\nruntime: +fake 9 \(CRI v1\)\n$/);
});

test('a call that the runtime does not offer is said so', async (t) => {
  const fake = await fakeRuntime(t);

  assert.match((await runCommand(fake.socket, ['info'])).err, /gantry info: ask for the status: the runtime at .* does not offer this call/);
});

test('an interrupted command ends with 130', async (t) => {
  const fake = await fakeRuntime(t);
  fake.methods['version'] = () => new Promise(() => {});

  assert.deepEqual(await runCommand(fake.socket, ['version'], { signal: AbortSignal.abort() }), { code: 130, out: '', err: 'gantry version: interrupted\n' });
});

const inFlight: Pull = {
  image: 'r/web:1', startedAt: BigInt(Date.now() - 5500) * 1_000_000n, stage: 'layers',
  layers: [
    { digest: `sha256:${'a'.repeat(64)}`, phase: 4, bytesWanted: 5n, bytesReceived: 0n, bytesPerSecond: 0n, host: '' },
    { digest: `sha256:${'b'.repeat(64)}`, phase: 1, bytesWanted: 4_000_000n, bytesReceived: 1_000_000n, bytesPerSecond: 1_000_000n, host: 'r' },
  ],
};
const usage: DiskUsageResponse = {
  images: [], layers: [], partialDownloads: [{ digest: `sha256:${'a'.repeat(64)}`, bytes: 9000n }], containers: [],
  filesystems: [{ mountpoint: '/data', imageBytes: 0n, containerBytes: 0n, partialBytes: 9000n, sizeBytes: 10_000n, availableBytes: 1000n }],
};

test('pulls lists what is on its way, as a table or as JSON', async (t) => {
  const { socket } = await fakeRuntime(t, { pulls: [[inFlight]], usage });

  assert.match((await runCommand(socket, ['pulls'])).out, /^IMAGE +STAGE +LAYERS +AGE +PROGRESS\nr\/web:1 +layers +1\/2 +\d+s +1 MB of 4 MB  1 MB\/s  3 s left\n$/);
  const { pulls } = JSON.parse((await runCommand(socket, ['pulls', '-o', 'json'])).out) as { pulls: { layers: { phase: string; bytesWanted: string }[] }[] };
  assert.deepEqual(pulls[0]!.layers.map(({ phase, bytesWanted }) => [phase, bytesWanted]), [['LAYER_HERE_ALREADY', '5'], ['LAYER_DOWNLOADING', '4000000']]);
});

test('df prints a table for each kind of thing, or all figures as JSON', async (t) => {
  const { socket } = await fakeRuntime(t, { pulls: [], usage });

  assert.equal((await runCommand(socket, ['df'])).out, [
    'PARTIAL DOWNLOAD  SIZE', 'aaaaaaaaaaaaa     9 kB', '',
    'FILESYSTEM  IMAGES  CONTAINERS  PARTIAL  SIZE   AVAILABLE', '/data       0 B     0 B         9 kB     10 kB  1 kB', '',
  ].join('\n'));
  const printed = JSON.parse((await runCommand(socket, ['df', '-o', 'json'])).out) as { filesystems: object[]; images: object[] };
  assert.deepEqual([printed.images, printed.filesystems[0]], [[], { mountpoint: '/data', imageBytes: '0', containerBytes: '0', partialBytes: '9000', sizeBytes: '10000', availableBytes: '1000' }]);
});

const lost = 'c'.repeat(64);
const threeHoursAgo = BigInt(Date.now() - 3 * 3_600_000 - 60_000) * 1_000_000n;
const leaks: ListLeaksResponse = {
  leaks: [
    { kind: 'mount', name: '/run/gantry/x', owner: lost, since: 0n, bytes: 0n },
    { kind: 'exit file', name: '/run/gantry/exits/y', owner: lost, since: threeHoursAgo, bytes: 3n },
  ],
  debts: [{ owner: lost, what: 'network', waitsFor: 'plugin bridge: no such program', since: threeHoursAgo, tries: 4, nextTry: 0n }],
  unseen: ['firewall: iptables hangs'],
};

test('leaks lists what nobody owns, what is still to be undone, and where it could not look', async (t) => {
  const { socket } = await fakeRuntime(t, { pulls: [], leaks });
  const { socket: clean } = await fakeRuntime(t, { pulls: [], leaks: { leaks: [], debts: [], unseen: [] } });

  const { code, out, err } = await runCommand(socket, ['leaks']);
  const printed = JSON.parse((await runCommand(socket, ['leaks', '-o', 'json'])).out) as { leaks: { bytes: string }[]; debts: { waitsFor: string }[]; cleared?: object[] };

  assert.deepEqual([code, err], [0, 'gantry leaks: could not look at firewall: iptables hangs\n']);
  assert.deepEqual(out.split('\n'), [
    'KIND       OWNER          AGE   SIZE  NAME', 'mount      ccccccccccccc  -     -     /run/gantry/x', 'exit file  ccccccccccccc  3h1m  3 B   /run/gantry/exits/y', '',
    'STILL TO BE UNDONE  OWNER          AGE   TRIES  WAITS FOR', 'network             ccccccccccccc  3h1m  4      plugin bridge: no such program', '',
  ]);
  assert.deepEqual([printed.leaks[1]!.bytes, printed.debts[0]!.waitsFor, printed.cleared], ['3', 'plugin bridge: no such program', undefined]);
  assert.deepEqual(await runCommand(clean, ['leaks', '--clear', '--yes']), { code: 0, out: 'nothing has leaked\n', err: '' });
});

test('leaks --clear asks on a terminal, and takes anything but a yes for a no', async (t) => {
  const { socket } = await fakeRuntime(t, { pulls: [], leaks: { ...leaks, debts: [], unseen: [] } });

  const told = await runCommand(socket, ['leaks', '--clear'], { answer: 'y\n' });
  assert.deepEqual([told.code, told.err], [0, 'remove these 2 things? [y/N] ']);
  assert.match(told.out, /\ncleared 2 of 2\n$/);
  for (const answer of ['', 'n\n', 'yesterday\n']) {
    const { code, out } = await runCommand(socket, ['leaks', '--clear'], { answer });
    assert.equal(code, 0);
    assert.doesNotMatch(out, /cleared/);
  }
});

test('leaks --clear without a terminal wants --yes, and says what it could not remove', async (t) => {
  const { socket } = await fakeRuntime(t, { pulls: [], leaks: { ...leaks, debts: [], unseen: [] }, stuck: '/run/gantry/x' });

  assert.deepEqual(await runCommand(socket, ['leaks', '--clear']), { code: 2, out: '', err: 'gantry leaks: --clear asks on a terminal, and this is none: add --yes, see gantry leaks --help\n' });
  assert.deepEqual(await runCommand(socket, ['leaks', '--yes']), { code: 2, out: '', err: 'gantry leaks: --yes goes with --clear, see gantry leaks --help\n' });
  const { code, out, err } = await runCommand(socket, ['leaks', '--clear', '--yes']);
  assert.deepEqual([code, err], [1, 'gantry leaks: clear mount /run/gantry/x: it is busy\n']);
  assert.match(out, /\ncleared 1 of 2\n$/);
  const printed = JSON.parse((await runCommand(socket, ['leaks', '--clear', '--yes', '-o', 'json'])).out) as { cleared: { error: string }[] };
  assert.deepEqual(printed.cleared.map(({ error }) => error), ['it is busy', '']);
});

test('what only gantry offers is told of another runtime in a sentence', async (t) => {
  const { socket } = await fakeRuntime(t);

  for (const [command, act] of [['df', 'ask for the disk usage'], ['pulls', 'list pulls']] as const) {
    assert.deepEqual(await runCommand(socket, [command]), {
      code: 1, out: '', err: `gantry ${command}: ${act}: only a gantry of this version offers that, and the runtime at ${socket} is another\n`,
    });
  }
});
