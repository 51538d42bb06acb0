/** Exec, attach and port-forward of the native engine, with real containers and plain streams for a client. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { ErrorKind } from '../base/errors.ts';
import { isKind } from '../base/errors.ts';
import type { SessionStreams, StreamEngine, TerminalSize } from '../engine/stream-engine.ts';
import { IDMapping, NamespaceMode, UserNamespace } from '../gen/cri.ts';
import { message } from '../../test/support/cri-messages.ts';
import { call, EngineBed, eventually, skipEngine } from './engine-bed.fake.ts';

const skip = skipEngine;
const bed = skip === false ? await EngineBed.open() : undefined!;
after(() => bed?.dispose());
const pod = skip === false ? await bed.runPod() : undefined!;
const idle = skip === false ? await bed.runContainer(pod.id) : '';
const streams = (): StreamEngine => bed.engine.streams;

const isCrun = skip === false && bed.config.runtime.defaultHandler === 'crun';
const idMapping = message(IDMapping, { hostId: 2_000_000, containerId: 0, length: 65_536 });
const KiB = 1024;
const MiB = 1024 * KiB;

/** Sizes of a client's terminal: those pushed, until the end. */
class Sizes implements AsyncIterable<TerminalSize> {
  readonly #stream = new PassThrough({ objectMode: true });

  push(columns: number, rows: number): void {
    this.#stream.write({ columns, rows });
  }

  [Symbol.asyncIterator](): AsyncIterator<TerminalSize> {
    return this.#stream[Symbol.asyncIterator]();
  }
}

function client(over: Partial<SessionStreams> = {}) {
  const sizes = new Sizes();
  const ends = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough(), sizes };
  return { ...ends, streams: { stdin: ends.stdin, stdout: ends.stdout, stderr: ends.stderr, resizes: sizes, ...over } satisfies SessionStreams };
}

async function exec(script: string, { input, containerId = idle, tty = false }: { input?: string; containerId?: string; tty?: boolean } = {}) {
  const ends = client(input === undefined ? { stdin: undefined } : {});
  if (input !== undefined) ends.stdin.end(input);
  const [code, stdout, stderr] = await Promise.all([
    streams().exec({ containerId, command: ['sh', '-c', script], tty }, { ...ends.streams, ...(tty ? { stderr: undefined } : {}) }, call()),
    text(ends.stdout),
    tty ? '' : text(ends.stderr),
  ]);
  return { code, stdout, stderr };
}

function fails(work: Promise<unknown>, kind: ErrorKind, message: RegExp): Promise<void> {
  return assert.rejects(work, (error) => {
    assert.match(String((error as Error).message), message);
    assert.ok(isKind(error, kind), String(error));
    return true;
  });
}

/** Collects what comes and lets it be awaited. */
function reading(stream: Readable) {
  let seen = '';
  stream.setEncoding('utf8').on('data', (part: string) => { seen += part; });
  return {
    get seen() { return seen; },
    until: (wanted: RegExp | string) => eventually(() => assert.ok(typeof wanted === 'string' ? seen.includes(wanted) : wanted.test(seen), `${String(wanted)} in ${JSON.stringify(seen.slice(-200))}`)),
  };
}

function openDescriptors(): string[] {
  return readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+/g, 'N');
    } catch {
      return 'gone';
    }
  }).filter((target) => /^(pipe|socket|\/dev\/p|.*ns)/.test(target)).toSorted();
}

/** Those of the tests before may be on their way out. */
async function quietDescriptors(): Promise<string[]> {
  for (let before = openDescriptors(); ;) {
    await sleep(200);
    const now = openDescriptors();
    if (now.length === before.length) return now;
    before = now;
  }
}

async function noMoreDescriptors(before: readonly string[]): Promise<void> {
  await eventually(() => {
    const left = [...before];
    const more = openDescriptors().filter((target) => {
      const at = left.indexOf(target);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
    assert.deepEqual(more, []);
  });
}

/** The commands of all processes in a container. */
async function commandsIn(containerId: string): Promise<string> {
  return (await bed.engine.containers.execSync(containerId, ['sh', '-c', 'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done'], 10, call())).stdout.toString();
}

function leftOfExecs(containerId: string): string[] {
  return readdirSync(join(bed.config.state, 'containers', containerId)).filter((name) => name.startsWith('exec-'));
}

/** So many bytes that come as fast as they are taken, and a place where they go; `most` is how many were on the way at once. */
function transfer(size: number) {
  const [sent, got] = [createHash('sha256'), createHash('sha256')];
  let [produced, consumed, most] = [0, 0, 0];
  const source = new Readable({
    read() {
      if (produced === size) return void this.push(null);
      const chunk = Buffer.alloc(Math.min(size - produced, 64 * KiB), produced % 251);
      produced += chunk.length;
      most = Math.max(most, produced - consumed);
      sent.update(chunk);
      this.push(chunk);
    },
  });
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      consumed += chunk.length;
      got.update(chunk);
      done();
    },
  });
  return {
    source,
    sink,
    assertUnharmed(mostOnTheWay: number): void {
      assert.equal(consumed, size);
      assert.equal(got.digest('hex'), sent.digest('hex'));
      assert.ok(most < mostOnTheWay, `${most} bytes were kept on the way`);
    },
  };
}

// --- exec ---------------------------------------------------------------------------------------------------------

test('a command gives its output, its errors apart, and its exit code', { skip }, async () => {
  assert.deepEqual(await exec('echo out; echo err >&2; exit 3'), { code: 3, stdout: 'out\n', stderr: 'err\n' });
  assert.equal((await exec('kill -9 $$')).code, 137);
  assert.deepEqual(leftOfExecs(idle), []);
});

test('a command without input finds its end, and one with input gets it with its end', { skip }, async () => {
  assert.equal((await exec('cat')).stdout, '');
  assert.equal((await exec('cat; echo end', { input: 'typed' })).stdout, 'typedend\n');
});

test('output after the end of the input comes whole', { skip }, async () => {
  assert.equal((await exec('wc -c; i=0; while [ $i -lt 5 ]; do i=$((i+1)); echo line $i; sleep 0.02; done', { input: 'x'.repeat(300_000) })).stdout, '300000\nline 1\nline 2\nline 3\nline 4\nline 5\n');
});

test('64 MiB go each way unharmed while the client sets the pace', { skip }, async () => {
  const bytes = transfer(64 * MiB);

  const code = await streams().exec({ containerId: idle, command: ['cat'], tty: false }, { ...client().streams, stdin: bytes.source, stdout: bytes.sink, stderr: undefined }, call());

  assert.equal(code, 0);
  bytes.assertUnharmed(MiB);
});

test('a client that does not read holds the command, and gets all of it later', { skip }, async () => {
  const ends = client({ stdin: undefined });
  const finished = streams().exec({ containerId: idle, command: ['sh', '-c', 'head -c 3000000 /dev/zero; echo over >&2'], tty: false }, ends.streams, call());
  const errors = reading(ends.stderr);
  await sleep(300);
  assert.equal(errors.seen, '', 'the command waits');
  assert.ok(ends.stdout.readableLength + ends.stdout.writableLength < 300_000, 'little is kept for the client');

  const [code, output] = await Promise.all([finished, text(ends.stdout)]);

  assert.deepEqual([code, output.length, errors.seen], [0, 3_000_000, 'over\n']);
});

test('the last output is complete for a client that reads after the command has ended', { skip }, async () => {
  const ends = client({ stdin: undefined });
  const finished = streams().exec({ containerId: idle, command: ['sh', '-c', 'head -c 60000 /dev/zero; echo last'], tty: false }, ends.streams, call());
  await sleep(500);

  const [, output] = await Promise.all([finished, text(ends.stdout)]);

  assert.equal(output.length, 60_005);
});

test('a process that is left behind with the output open does not hold the session', { skip: skip === false && !isCrun ? 'runc copies the output itself and waits for it' : skip }, async () => {
  const began = performance.now();

  const result = await exec('(sleep 5; echo late) & echo now');
  const endless = await exec('(while echo again; do :; done) & sleep 0.1; exit 4');

  assert.equal(result.stdout, 'now\n');
  assert.equal(endless.code, 4);
  assert.ok(performance.now() - began < 4000);
  await bed.engine.containers.execSync(idle, ['sh', '-c', 'pkill -f again; pkill -f late; true'], 5, call());
});

test('what cannot be run is refused with the reason, and nothing of it reaches the client', { skip }, async () => {
  const ends = client({ stdin: undefined });
  const errors = reading(ends.stderr);

  await fails(streams().exec({ containerId: idle, command: ['nope'], tty: false }, ends.streams, call()), 'failed-precondition', /^exec in container [0-9a-f]{64}: (crun|runc): .*executable file .*not found in \$PATH/);
  await fails(streams().exec({ containerId: idle, command: ['nope'], tty: true }, { ...client().streams, stderr: undefined }, call()), 'failed-precondition', /^exec in container [0-9a-f]{64}: (crun|runc): .*executable file .*not found in \$PATH(: No such file or directory)?$/);

  assert.equal(errors.seen, '');
  assert.deepEqual(leftOfExecs(idle), []);
});

test('only a command in a running container is admitted', { skip }, async () => {
  const created = await bed.createContainer(pod.id);
  const session = { command: ['true'], tty: false };

  assert.equal(await streams().admitExec({ ...session, containerId: idle.slice(0, 12) }), idle);
  await fails(streams().admitExec({ ...session, containerId: created }), 'failed-precondition', /^exec in container [0-9a-f]{64}: it is created, not running$/);
  await fails(streams().admitExec({ ...session, containerId: 'f'.repeat(64) }), 'not-found', /f{64}/);
  await fails(streams().admitExec({ containerId: idle, command: [], tty: false }), 'invalid-argument', /cmd\[0\]/);
  await fails(streams().admitAttach(created), 'failed-precondition', /^attach to container [0-9a-f]{64}: it is created, not running$/);
});

test('the end of a container ends the commands in it', { skip }, async () => {
  const container = await bed.runContainer(pod.id);
  const ends = client();
  const output = reading(ends.stdout);
  const session = streams().exec({ containerId: container, command: ['sh', '-c', 'echo up; cat'], tty: false }, ends.streams, call());
  await output.until('up');

  await bed.engine.containers.stop(container, 0, call());

  assert.equal(await session, 137);
  await fails(streams().exec({ containerId: container, command: ['true'], tty: false }, client().streams, call()), 'failed-precondition', /it is exited, not running$/);
});

test('a client who goes away takes the whole tree of the command with it, and nothing else', { skip }, async () => {
  const before = await quietDescriptors();
  const leave = new AbortController();
  const ends = client();
  const output = reading(ends.stdout);
  const session = streams().exec({ containerId: idle, command: ['sh', '-c', 'sleep 301 & (setsid sleep 302 &) ; (trap "" TERM HUP; sleep 303) & echo up; sleep 304'], tty: false }, ends.streams, call(leave.signal));
  await output.until('up');
  leave.abort();

  await fails(session, 'cancelled', /^exec in container [0-9a-f]{64}: the client went away from "sh"; its processes were killed$/);

  const commands = await commandsIn(idle);
  assert.doesNotMatch(commands, /sleep 30\d/);
  assert.match(commands, /sleep 86399/);
  assert.deepEqual(leftOfExecs(idle), []);
  for (const stream of [ends.stdin, ends.stdout, ends.stderr]) stream.destroy();
  await noMoreDescriptors(before);
});

// --- terminals ----------------------------------------------------------------------------------------------------

test('a command on a terminal knows its size and every change of it', { skip }, async () => {
  const ends = client({ stderr: undefined });
  const output = reading(ends.stdout);
  ends.sizes.push(91, 31);
  const session = streams().exec({ containerId: idle, command: ['sh', '-c', 'until [ "$(stty size)" = "31 91" ]; do sleep 0.02; done 2>/dev/null; tty; echo $TERM; trap "stty size" WINCH; while true; do sleep 0.05; done'], tty: true }, ends.streams, call());
  await output.until(/\/dev\/pts\/\d+\r\nxterm\r\n/);

  ends.sizes.push(133, 44);
  await output.until('44 133');
  ends.stdin.write('\x03');

  assert.equal(await session, 130);
});

test('what is typed reaches the command, and its end is the end of the input', { skip }, async () => {
  const ends = client({ stderr: undefined });
  const output = reading(ends.stdout);
  const session = streams().exec({ containerId: idle, command: ['sh', '-c', 'stty -echo; echo ready; cat; echo end; exit 6'], tty: true }, ends.streams, call());
  await output.until('ready');

  ends.stdin.end('one\ntwo');

  assert.equal(await session, 6);
  assert.equal(output.seen, 'ready\r\none\r\ntwoend\r\n');
});

test('all output of a terminal comes, also to a client that is slow', { skip }, async () => {
  const sizes = Array.from({ length: 20_000 }, (_, n) => `${n + 1}\r\n`).join('');
  const ends = client({ stdin: undefined, stderr: undefined });
  const session = streams().exec({ containerId: idle, command: ['seq', '1', '20000'], tty: true }, ends.streams, call());
  await sleep(300);

  const [code, output] = await Promise.all([session, text(ends.stdout)]);

  assert.equal(code, 0);
  // runc takes the carriage return out of the first lines or not, as it comes to it before or after the program.
  const plain = isCrun ? output : output.replaceAll('\r\r\n', '\r\n');
  assert.ok(plain === sizes, `${plain.length} of ${sizes.length} bytes`);
});

test('a program that reads no input does not hold up a client that types on', { skip }, async () => {
  const ends = client({ stderr: undefined });
  const leave = new AbortController();
  const output = reading(ends.stdout);
  const session = streams().exec({ containerId: idle, command: ['sh', '-c', 'stty raw -echo; echo ready; sleep 305'], tty: true }, ends.streams, call(leave.signal));
  await output.until('ready');
  ends.stdin.write(Buffer.alloc(1_000_000, 'x'));

  await nextTurn();
  assert.equal((await exec('echo alive')).stdout, 'alive\n', 'the daemon goes on');
  leave.abort();

  await fails(session, 'cancelled', /its processes were killed$/);
});

test('a client who leaves a terminal is a hang-up for the command', { skip }, async () => {
  const before = await quietDescriptors();
  const ends = client({ stderr: undefined });
  const leave = new AbortController();
  const output = reading(ends.stdout);
  const session = streams().exec({ containerId: idle, command: ['sh', '-c', 'trap "echo hung up > /tmp/hup; exit" HUP; (setsid sleep 306 &); echo up; while true; do sleep 0.05; done'], tty: true }, ends.streams, call(leave.signal));
  await output.until('up');
  leave.abort();

  await fails(session, 'cancelled', /its processes were killed$/);

  assert.equal((await exec('cat /tmp/hup')).stdout, 'hung up\n');
  assert.doesNotMatch(await commandsIn(idle), /sleep 306/);
  assert.deepEqual(leftOfExecs(idle), []);
  for (const stream of [ends.stdin, ends.stdout]) stream.destroy();
  await noMoreDescriptors(before);
});

test('50 sessions at once, half of them abandoned, leave no descriptor and no process', { skip }, async () => {
  const before = await quietDescriptors();

  await Promise.all(Array.from({ length: 50 }, async (_, n) => {
    const tty = n % 4 < 2;
    const ends = client(tty ? { stderr: undefined } : {});
    const leave = AbortSignal.timeout(n % 2 === 0 ? 200 : 60_000);
    const session = streams().exec({ containerId: idle, command: n % 2 === 0 ? ['sleep', '307'] : ['echo', 'out'], tty }, ends.streams, call(leave));
    ends.stdout.resume();
    ends.stderr.resume();
    if (n % 2 === 0) await fails(session, 'cancelled', /the client went away/);
    else assert.equal(await session, 0);
    for (const stream of [ends.stdin, ends.stdout, ends.stderr]) stream.destroy();
  }));

  assert.doesNotMatch(await commandsIn(idle), /sleep 307/);
  assert.deepEqual(leftOfExecs(idle), []);
  await noMoreDescriptors(before);
});

for (const [what, pid, users] of [["the pod's PID namespace and users of its own", NamespaceMode.POD, true], ["the node's PID namespace", NamespaceMode.NODE, false], ["another container's PID namespace", NamespaceMode.TARGET, false]] as const) {
  test(`exec and its end work in a container with ${what}`, { skip: skip === false && users && !isCrun ? 'needs a runc that maps the owners of mounts' : skip }, async () => {
    const usernsOptions = users ? message(UserNamespace, { mode: NamespaceMode.POD, uids: [idMapping], gids: [idMapping] }) : undefined;
    const namespaces = { pid: pid === NamespaceMode.TARGET ? NamespaceMode.CONTAINER : pid, usernsOptions };
    const other = await bed.runPod({ namespaces });
    const target = await bed.runContainer(other.id, { namespaces });
    const container = pid === NamespaceMode.TARGET ? await bed.runContainer(other.id, { namespaces: { pid, targetId: target } }) : target;

    for (const tty of [false, true]) {
      const leave = new AbortController();
      const ends = client(tty ? { stderr: undefined } : {});
      const output = reading(ends.stdout);
      const session = streams().exec({ containerId: container, command: ['sh', '-c', 'echo up; sleep 308'], tty }, ends.streams, call(leave.signal));
      await output.until('up');
      leave.abort();
      await fails(session, 'cancelled', /its processes were killed$/);
      assert.equal((await exec('exit 9', { containerId: container, tty })).code, 9);
    }

    assert.doesNotMatch(await commandsIn(container), /sleep 308/);
    await bed.engine.pods.stop(other.id, call());
    await bed.engine.pods.remove(other.id, call());
  });
}

// --- attach -------------------------------------------------------------------------------------------------------

/** A container whose streams are to be attached to. */
function attachable(script: string, config: { stdin?: boolean; stdinOnce?: boolean; tty?: boolean } = {}): Promise<string> {
  return bed.runContainer(pod.id, { config: { command: ['sh', '-c', script], ...config } });
}

function attach(id: string, over: Partial<SessionStreams> = {}) {
  const leave = new AbortController();
  const ends = client(over);
  const session = streams().attach(id, ends.streams, call(leave.signal));
  session.catch(() => {});
  return { ...ends, session, leave: () => leave.abort(), output: reading(ends.stdout), errors: reading(ends.stderr) };
}

async function stateOf(id: string): Promise<number> {
  return (await bed.engine.containers.status(id, false)).status.state;
}

test('attached clients see what a container writes from then on, each all of it, until it ends', { skip }, async () => {
  const id = await attachable('echo before; read line; echo "got $line"; echo bad >&2; read line; echo last; exit 3', { stdin: true });
  assert.deepEqual(await streams().admitAttach(id.slice(0, 12)), { id, tty: false, stdin: true });
  await eventually(async () => assert.match(readFileSync((await bed.engine.containers.status(id, false)).status.logPath, 'utf8'), /before/));
  const [one, two] = [attach(id), attach(id, { stdin: undefined })];
  await sleep(100);

  one.stdin.write('hello\n');
  await Promise.all([one, two].flatMap(({ output, errors }) => [output.until('got hello'), errors.until('bad')]));
  one.leave();
  await fails(one.session, 'cancelled', /^attach to container [0-9a-f]{64}: the client went away$/);
  const three = attach(id);
  await sleep(50);
  three.stdin.write('again\n');

  await Promise.all([two.session, three.session]);
  assert.deepEqual([one.output.seen, two.output.seen, three.output.seen], ['got hello\n', 'got hello\nlast\n', 'last\n']);
  await fails(attach(id).session, 'failed-precondition', /it is exited, not running$/);
});

test('the input goes on after a client, unless it is to end with the first', { skip }, async () => {
  const [open, once] = await Promise.all([attachable('cat; echo over', { stdin: true }), attachable('cat; echo over', { stdin: true, stdinOnce: true })]);
  const [first, second] = [attach(open), attach(once)];
  first.stdin.end('one\n');
  second.stdin.end('two\n');

  await second.session;
  assert.equal(second.output.seen, 'two\nover\n');
  await first.output.until('one');
  const third = attach(open);
  third.stdin.write('three\n');
  await third.output.until('three');
  assert.equal(first.output.seen, 'one\nthree\n', 'who ended the input still gets the output');
  third.leave();

  const typed = attach(await attachable('stty -echo; cat; echo over', { stdin: true, stdinOnce: true, tty: true }), { stderr: undefined });
  await sleep(200);
  typed.stdin.end('four\n');
  await typed.session;
  assert.equal(typed.output.seen, 'four\r\nover\r\n');

  const left = await attachable('cat; echo over', { stdin: true, stdinOnce: true });
  const gone = attach(left);
  await sleep(100);
  gone.leave();
  await eventually(async () => assert.equal(await stateOf(left), 2));
});

test('8 MiB go through an attached container unharmed', { skip }, async () => {
  const id = await attachable('sleep 0.3; cat', { stdin: true, stdinOnce: true });
  const bytes = transfer(8 * MiB);

  await streams().attach(id, { ...client().streams, stdin: bytes.source, stdout: bytes.sink }, call());

  bytes.assertUnharmed(3 * MiB);
});

test('a terminal has the size of its client, and its log is in the format of the CRI', { skip }, async () => {
  const id = await attachable('stty -echo; echo ready; read line; stty size; tty; read line; echo "got $line"', { stdin: true, tty: true });
  const one = attach(id, { stderr: undefined });
  one.sizes.push(101, 41);
  await sleep(200);
  one.stdin.write('\n');
  await one.output.until(/41 101\r\n\/dev\/\S+\r\n/);
  one.stdin.write('typed\n');
  await one.session;

  assert.match(one.output.seen, /got typed\r\n$/);
  const { logPath } = (await bed.engine.containers.status(id, false)).status;
  assert.match(readFileSync(logPath, 'utf8'), /^\S+ stdout F got typed\r?$/m);
});

test('attach works after the engine has been started again, and its end is told to who was attached', { skip }, async () => {
  const id = await attachable('while read line; do echo "got $line"; done', { stdin: true });
  const before = attach(id);
  before.stdin.write('one\n');
  await before.output.until('got one');

  await bed.stop();
  await fails(before.session, 'unavailable', /^attach to container [0-9a-f]{64}: the daemon is going away$/);
  await bed.start();
  const later = attach(id);
  later.stdin.write('two\n');
  await later.output.until('got two');
  later.leave();

  assert.equal(await stateOf(id), 1, 'it runs on');
});

test('300 clients that vanish from a container that prints leave it and its monitor alone', { skip }, async () => {
  const id = await attachable('while true; do echo line; sleep 0.01; done');
  const [monitor] = bed.monitorsOf(id);
  const keeper = attach(id);
  await keeper.output.until('line');
  const before = await quietDescriptors();

  for (let round = 0; round < 30; round++) {
    const clients = Array.from({ length: 10 }, () => attach(id));
    await sleep(10);
    for (const { stdin, stdout, stderr, leave } of clients) {
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
      leave();
    }
    await Promise.allSettled(clients.map(({ session }) => session));
  }

  await noMoreDescriptors(before);
  const seen = keeper.output.seen.length;
  await eventually(() => assert.ok(keeper.output.seen.length > seen));
  assert.deepEqual(bed.monitorsOf(id), [monitor]);
  keeper.leave();
});

test('a client that does not read is dropped, and holds up the others for no longer than that', { skip }, async () => {
  const id = await attachable('read line; i=0; while [ $i -lt 60 ]; do i=$((i+1)); head -c 100000 /dev/zero; done; echo over', { stdin: true });
  const stuck = streams().attach(id, { ...client().streams, stdin: undefined }, call());
  stuck.catch(() => {});
  const well = attach(id);
  await sleep(100);
  well.stdin.write('go\n');

  await fails(stuck, 'resource-exhausted', /the client left more than 1 MiB of output untaken and would have held up the container; read faster, or read its log$/);
  await well.session;

  assert.equal(well.output.seen.length, 6_000_005);
});

test('a monitor that dies is told to who is attached', { skip }, async () => {
  const id = await attachable('sleep 86399');
  const one = attach(id);
  await sleep(200);

  process.kill(bed.monitorsOf(id)[0]!, 'SIGKILL');

  await fails(one.session, 'unavailable', /its monitor \(conmon\) has ended, and its streams with it, while it goes on running$/);
  await fails(attach(id).session, 'unavailable', /^attach to container [0-9a-f]{64}: its monitor \(conmon\) is not running$/);
  await bed.engine.containers.stop(id, 0, call());
});

// --- port-forward -------------------------------------------------------------------------------------------------

/** Ports of servers that run in a pod's network: two that send back what comes, with the end only after the client's, and one that resets. */
interface Servers {
  readonly ipv4: number;
  readonly ipv6: number;
  readonly resets: number;
  readonly close: () => void;
}

const serverProgram = `
  const net = require('node:net');
  const listen = (host, serve) => new Promise((resolve) => { const server = net.createServer({ allowHalfOpen: true }, serve).listen(0, host, () => resolve(server.address().port)); });
  const echo = (socket) => socket.on('error', () => {}).pipe(socket);
  Promise.all([listen('127.0.0.1', echo), listen('::1', echo), listen('127.0.0.1', (socket) => socket.once('data', () => socket.resetAndDestroy()))])
    .then((ports) => console.log(JSON.stringify(ports)));`;

async function serversIn(namespace: string): Promise<Servers> {
  const child = spawn('nsenter', [`--net=${namespace}`, process.execPath, '-e', serverProgram], { stdio: ['ignore', 'pipe', 'inherit'] });
  after(() => child.kill());
  const [line] = await once(child.stdout, 'data') as [Buffer];
  const [ipv4, ipv6, resets] = JSON.parse(line.toString()) as [number, number, number];
  return { ipv4, ipv6, resets, close: () => child.kill() };
}

function pinOf(podId: string): string {
  return join(bed.config.state, 'pods', podId, 'ns', 'net');
}

async function throughPort(podId: string, port: number, said: string): Promise<string> {
  const connection: Duplex = await streams().portForward(podId, port, call());
  connection.end(said);
  return await text(connection);
}

const servers = skip === false ? await serversIn(pinOf(pod.id)) : undefined!;

test('a port of a pod is reached by either protocol, with an end of each way, and leaves nothing', { skip }, async () => {
  const before = await quietDescriptors();
  const ports = [servers.ipv4, servers.ipv6];
  assert.equal(await streams().admitPortForward(pod.id.slice(0, 12)), pod.id);

  for (const port of ports) assert.equal(await throughPort(pod.id, port, 'hello'), 'hello');
  const many = await Promise.all(Array.from({ length: 100 }, (_, n) => throughPort(pod.id, ports[n % 2]!, `${n} `.repeat(10_000))));

  assert.deepEqual(many.map((answer, n) => answer === `${n} `.repeat(10_000)), many.map(() => true));
  await noMoreDescriptors(before);
});

test('64 MiB go through a forwarded port unharmed', { skip }, async () => {
  const bytes = transfer(64 * MiB);

  const connection = await streams().portForward(pod.id, servers.ipv4, call());
  bytes.source.pipe(connection);
  await once(connection.pipe(bytes.sink), 'finish');

  bytes.assertUnharmed(32 * MiB); // most of it in the buffers of the kernel's four sockets
});

test('a port of a pod in the network of the node is the node\'s', { skip }, async () => {
  const other = await bed.runPod({ namespaces: { network: NamespaceMode.NODE } });
  const server = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  assert.equal(await throughPort(other.id, port, ''), 'hello');

  server.close();
  await bed.engine.pods.stop(other.id, call());
  await fails(streams().portForward(other.id, port, call()), 'failed-precondition', /^forward port of pod default\/pod-\d+: it is not ready$/);
  await fails(streams().admitPortForward(other.id), 'failed-precondition', /it is not ready$/);
  await bed.engine.pods.remove(other.id, call());
  await fails(streams().admitPortForward(other.id), 'not-found', /./);
});

test('a port on which nobody listens, or that is none, is refused by name', { skip }, async () => {
  const before = await quietDescriptors();

  await fails(streams().portForward(pod.id, 9, call()), 'unavailable', /^forward port 9 of pod default\/pod-\d+: nobody listens on port 9 of 127\.0\.0\.1 or ::1 in it$/);
  await fails(streams().portForward(pod.id, 0, call()), 'invalid-argument', /a port is a number from 1 to 65535$/);
  await fails(streams().portForward(pod.id, 65_536, call()), 'invalid-argument', /a port is a number from 1 to 65535$/);
  await fails(streams().portForward(pod.id, 9, call(AbortSignal.abort())), 'cancelled', /the client went away$/);

  await noMoreDescriptors(before);
});

test('a client who goes away ends the connection, and a reset from the pod ends nothing else', { skip }, async () => {
  const leave = new AbortController();
  const [left, reset] = await Promise.all([streams().portForward(pod.id, servers.resets, call(leave.signal)), streams().portForward(pod.id, servers.resets, call())]);
  leave.abort();
  reset.write('x');

  await eventually(() => assert.deepEqual([left.destroyed, reset.destroyed], [true, true]));
  servers.close();
});
