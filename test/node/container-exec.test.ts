/** ExecSync: what a command wrote, how it ended, and that neither its output nor its children get out of hand. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { LinuxContainerUser } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const pod = await node.runPod();
const containerId = await node.runContainer(pod, { config: { envs: [{ key: 'COLOUR', value: Buffer.from('red') }], workingDir: '/home/app' } });

const mebibyte = 1 << 20;
const exec = (script: string, timeout = 30n) => node.client.execSync({ containerId, cmd: ['sh', '-c', script], timeout });

test('exit code and both streams come back, each as it is', async () => {
  const { stdout, stderr, exitCode } = await exec('printf "out\\0\\377"; echo err >&2; exit 3');

  assert.deepEqual([...stdout], [...Buffer.from('out'), 0, 255]);
  assert.equal(Buffer.from(stderr).toString(), 'err\n');
  assert.equal(exitCode, 3);
});

test('a command that a signal ends has the exit code 128 and the number of the signal', async () => {
  assert.equal((await exec('kill -KILL $$')).exitCode, 137);
});

test('a command runs as the container does: directory, environment, user, cgroup', async () => {
  assert.equal(await node.sh(containerId, 'pwd; echo $COLOUR; id -u'), '/home/app\nred\n0');
  assert.equal(await node.sh(containerId, 'cat /proc/self/cgroup'), await node.sh(containerId, 'cat /proc/1/cgroup'));
});

test("a command has nothing to read, and none of the daemon's open files", async () => {
  assert.equal(await node.sh(containerId, 'cat'), '');
  assert.deepEqual((await node.sh(containerId, 'ls /proc/$$/fd; true')).trim().split(/\s+/), ['0', '1', '2']);
});

test('at its timeout a command is killed with all its children, also those that left its session', async () => {
  const began = Date.now();
  const running = exec('sleep 20001 & setsid sleep 20002 & (setsid sh -c "sleep 20003 & sleep 20004" &) ; sleep 20005', 1n);

  await assertFails(running, status.DEADLINE_EXCEEDED, /exec in container [0-9a-f]{64}: "sh" timed out after 1 s; its processes were killed/);

  assert.ok(Date.now() - began < 6000, 'soon after the second');
  assert.equal(await node.sh(containerId, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").then((text) => /sleep 2000/.test(text)), false);
});

test('when the caller goes away the command is killed too', async () => {
  const gone = new AbortController();
  const running = node.client.execSync({ containerId, cmd: ['sleep', '20006'], timeout: 0n }, { signal: gone.signal });
  await eventually(async () => assert.match(await node.sh(containerId, 'cat /proc/[0-9]*/cmdline'), /20006/));

  gone.abort();

  await assertFails(running, status.CANCELLED, /./);
  await eventually(async () => assert.doesNotMatch(await node.sh(containerId, 'cat /proc/[0-9]*/comm /proc/[0-9]*/cmdline'), /2000[6]/));
});

test('a command whose child lives on and holds its output ends when it ends', async () => {
  const began = Date.now();

  const { exitCode } = await exec('sleep 3 & exit 4', 2n).catch((error: { code: number }) => ({ exitCode: -error.code }));

  // runc copies the output itself and waits for whoever holds it.
  assert.ok(exitCode === 4 || (process.env.RUNTIME === 'runc' && exitCode === -status.DEADLINE_EXCEEDED), String(exitCode));
  assert.ok(Date.now() - began < 6000);
});

test('of endless output the first 16 MiB are kept, and the daemon does not grow by much', async () => {
  const bytes = process.env.RUNTIME === 'runsc' ? 30_000_000 : 600_000_000; // gVisor's system calls are slow under ptrace
  const before = residentMiB();
  let highest = 0;
  const watch = setInterval(() => { highest = Math.max(highest, residentMiB()); }, 20);

  const { stdout, exitCode } = await exec(`head -c ${bytes} /dev/zero`).finally(() => clearInterval(watch));

  assert.equal(exitCode, 0);
  assert.ok(stdout.length <= 16 * mebibyte && stdout.length > 16 * mebibyte - 1024, `${stdout.length} bytes`);
  assert.ok(highest - before < 200, `grew from ${before} to ${highest} MiB while ${bytes} bytes came`);
});

test('when both streams are large each gets its share of the answer', async () => {
  const { stdout, stderr } = await exec('head -c 12000000 /dev/zero; head -c 12000000 /dev/zero >&2');

  assert.ok(stdout.length + stderr.length <= 16 * mebibyte);
  assert.ok(Math.min(stdout.length, stderr.length) > 4 * mebibyte);
});

test('a command that cannot be started fails with the words of the runtime', async () => {
  const running = node.client.execSync({ containerId, cmd: ['/no/such/program'], timeout: 5n });

  await assertFails(running, status.FAILED_PRECONDITION, /exec in container [0-9a-f]{64}: (crun|runc|runsc): .*no\/such\/program.*no such file/i);
});

test('there is no exec in a container that does not run', async () => {
  const created = await node.createContainer(pod);
  const exited = await node.runContainer(pod, { script: 'exit 0' });
  await node.ended(exited);
  const command = { cmd: ['true'], timeout: 5n };

  await assertFails(node.client.execSync({ ...command, containerId: created }), status.FAILED_PRECONDITION, /it is created, not running/);
  await assertFails(node.client.execSync({ ...command, containerId: exited }), status.FAILED_PRECONDITION, /it is exited, not running/);
  await assertFails(node.client.execSync({ containerId, cmd: [], timeout: 5n }), status.INVALID_ARGUMENT, /cmd is missing/);
});

test('a hundred commands leave no files, and many at once all get their own answer', async () => {
  const answers = await Promise.all(Array.from({ length: 30 }, async (_, n) => [n, await node.sh(containerId, `echo ${n}`)]));

  assert.deepEqual(answers, answers.map(([n]) => [n, String(n)]));
  const bundle = readdirSync(path.join(node.daemon.paths.state, 'containers', containerId));
  assert.deepEqual(bundle.filter((name) => name.startsWith('exec-')), []);
});

test('an unprivileged user stays one in exec', async () => {
  const id = await node.runContainer(pod, { security: { runAsUser: { value: 1000n } } });

  assert.equal(await node.sh(id, 'id -u; id -G; grep CapEff /proc/self/status'), '1000\n1000 2000\nCapEff:\t0000000000000000');
  assert.deepEqual((await node.statusOf(id)).user?.linux, message(LinuxContainerUser, { uid: 1000n, gid: 1000n, supplementalGroups: [1000n, 2000n] }));
});

test('of all these containers nothing is left once the pods are removed', () => assertRemovalLeavesNothing(node.daemon));

function residentMiB(): number {
  const kibibytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${node.daemon.pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) / 1024;
}
