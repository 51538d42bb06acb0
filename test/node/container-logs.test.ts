/** The log files that the kubelet reads, in the CRI format. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { assertFails, eventually, logLines, startWorkload, textOf } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const pod = await node.runPod();

test('both streams are in the log, line by line, with time and tag', async () => {
  const id = await node.runContainer(pod, { script: 'echo one; sleep 0.1; echo two >&2; sleep 0.1; printf "\\nlast without end"' });
  await node.ended(id);

  const lines = await node.log(id);

  assert.deepEqual(lines, [
    { stream: 'stdout', tag: 'F', text: 'one' },
    { stream: 'stderr', tag: 'F', text: 'two' },
    { stream: 'stdout', tag: 'F', text: '' },
    { stream: 'stdout', tag: 'P', text: 'last without end' },
  ]);
});

test('the log lies where the pod and the container say', async () => {
  const id = await node.createContainer(pod, { logPath: 'deep/er/0.log' });

  const { logPath } = await node.statusOf(id);

  assert.equal(logPath, path.join(pod.config.logDirectory, 'deep/er/0.log'));
  assert.ok(existsSync(logPath));
});

test('a long line comes in parts that make it up again', async () => {
  const id = await node.runContainer(pod, { script: 'head -c 50000 /dev/zero | tr "\\0" x; echo; echo next' });
  await node.ended(id);

  const lines = await node.log(id);

  assert.ok(lines.length > 2);
  assert.equal(textOf(lines), `${'x'.repeat(50_000)}\nnext\n`);
});

test('nothing of a lot of output is lost', async () => {
  const id = await node.runContainer(pod, { script: 'seq 1 100000' });
  await node.ended(id);

  const numbers = textOf(await node.log(id)).trimEnd().split('\n').map(Number);

  assert.equal(numbers.length, 100_000);
  assert.ok(numbers.every((number, index) => number === index + 1));
});

test('after a rotation the output goes on in a new file, and no line is lost', async () => {
  const id = await node.runContainer(pod, { script: 'n=0; while true; do n=$((n + 1)); echo $n; sleep 0.01; done' });
  const { logPath } = await node.statusOf(id);
  await eventually(() => assert.ok(logLines(logPath).length > 5));

  renameSync(logPath, `${logPath}.1`);
  await node.client.reopenContainerLog({ containerId: id });

  await eventually(() => assert.ok(logLines(logPath).length > 5));
  await node.client.stopContainer({ containerId: id, timeout: 0n });
  const numbers = textOf([...logLines(`${logPath}.1`), ...logLines(logPath)]).trimEnd().split('\n').map(Number);
  assert.deepEqual(numbers, numbers.map((_, index) => index + 1));
});

test('reopening without a rotation leaves the log as it is', async () => {
  const id = await node.runContainer(pod, { script: 'echo kept; sleep 60' });
  await eventually(async () => assert.equal((await node.log(id)).length, 1));

  await node.client.reopenContainerLog({ containerId: id });

  assert.deepEqual(await node.log(id), [{ stream: 'stdout', tag: 'F', text: 'kept' }]);
});

test('the log of a container that does not run cannot be reopened, and says so', async () => {
  const id = await node.createContainer(pod);

  await assertFails(node.client.reopenContainerLog({ containerId: id }), status.FAILED_PRECONDITION, /reopen log of container [0-9a-f]{64}: it is created, not running/);
});

test('a log path that leaves the log directory of the pod is refused', async () => {
  await assertFails(node.createContainer(pod, { logPath: '../../etc/cron.d/evil' }), status.INVALID_ARGUMENT, /config\.log_path: .*is not a path beneath the pod's log directory/);
  await assertFails(node.createContainer(pod, { logPath: '/etc/cron.d/evil' }), status.INVALID_ARGUMENT, /config\.log_path/);
});

test('the log stays when the container is removed: it is the kubelet that removes logs', async () => {
  const id = await node.runContainer(pod, { script: 'echo stays' });
  const { logPath } = await node.ended(id);

  await node.client.removeContainer({ containerId: id });

  assert.match(readFileSync(logPath, 'utf8'), / stdout F stays\n$/);
});

test('a container without a log path runs without a log', async () => {
  const quiet = await node.runPod({ logDirectory: '' });

  const ended = await node.ended(await node.runContainer(quiet, { script: 'echo nobody hears' }));

  assert.deepEqual([ended.exitCode, ended.logPath], [0, '']);
});

test('the output of a terminal is one stream', async () => {
  const id = await node.runContainer(pod, { script: 'tty; echo both >&2', config: { tty: true } });
  await node.ended(id);

  const lines = await node.log(id);

  assert.deepEqual(new Set(lines.map(({ stream }) => stream)), new Set(['stdout']));
  // A read may end between the carriage return and the line feed of one line, which makes it two lines of the log, the first a partial one.
  assert.match(textOf(lines).replaceAll('\r', ''), /^\/dev\/(pts\/0|console)\nboth\n$/);
});

test('a log directory that appears only later is made', async () => {
  const directory = path.join(node.daemon.paths.logs, 'made', 'on', 'demand');
  const late = await node.runPod({ logDirectory: directory });
  assert.ok(!existsSync(directory) || mkdirSync(directory, { recursive: true }) === undefined);

  const id = await node.runContainer(late, { script: 'echo here' });
  await node.ended(id);

  assert.deepEqual(await node.log(id), [{ stream: 'stdout', tag: 'F', text: 'here' }]);
});

test('of all these containers nothing is left once the pods are removed', () => assertRemovalLeavesNothing(node.daemon));
