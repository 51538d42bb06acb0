/** Logs over the socket, from CRI log files. */
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ContainerState } from '../../gen/cri.ts';
import { fakeNode, mainId, messageWith, servedNode } from './node.fake.ts';
import type { FakeNode, ServedNode } from './node.fake.ts';

const written = [
  '2026-01-31T12:00:00.000000001Z stdout F one',
  '2026-01-31T13:00:01.5+01:00 stderr F two',
  '2026-01-31T12:00:02Z stdout P thr',
  '2026-01-31T12:00:02Z stdout F ee',
  '2026-01-31T12:00:03Z stdout F four',
  '',
].join('\n');

async function logged(t: TestContext, info: object = {}): Promise<ServedNode & { node: FakeNode; file: string }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'docker-logs-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = path.join(folder, '0.log');
  await writeFile(file, written);
  const node = fakeNode();
  node.statuses.set(mainId, { ...node.statuses.get(mainId)!, logPath: file, state: ContainerState.CONTAINER_RUNNING });
  node.infos.set(mainId, info);
  return { ...await servedNode(t, node), file };
}

/** `1:text` of each frame. */
function frames(bytes: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at + 4);
    assert.deepEqual([...bytes.subarray(at + 1, at + 4)], [0, 0, 0]);
    found.push(`${bytes[at]}:${bytes.toString('utf8', at + 8, at + 8 + length)}`);
    at += 8 + length;
  }
  return found;
}

test('lines are framed by their stream, whole ones', async (t) => {
  const { ask } = await logged(t);
  const asked = async (query: string) => frames((await ask(`GET /containers/${mainId}/logs?${query}`)).bytes);

  const rows: [string, string[]][] = [
    ['stdout=1&stderr=1', ['1:one\n', '2:two\n', '1:three\n', '1:four\n']],
    ['stdout=true', ['1:one\n', '1:three\n', '1:four\n']],
    ['stderr=1', ['2:two\n']],
    ['stdout=1&stderr=1&tail=2', ['1:three\n', '1:four\n']],
    ['stdout=1&stderr=1&tail=0', []],
    ['stdout=1&stderr=1&tail=all', ['1:one\n', '2:two\n', '1:three\n', '1:four\n']],
    ['stdout=1&stderr=1&since=1769860800.000000002&until=1769860802', ['2:two\n', '1:three\n']],
    ['stdout=1&since=1769860800.000000001&until=1769860801', ['1:one\n']],
    ['stdout=1&stderr=1&since=2026-01-31T12:00:03Z', ['1:four\n']],
    ['stderr=1&timestamps=1', ['2:2026-01-31T12:00:01.500000000Z two\n']],
  ];
  for (const [query, wanted] of rows) assert.deepEqual(await asked(query), wanted, query);
});

test('of a container with a terminal the bytes come as they are', async (t) => {
  const { ask } = await logged(t, { runtimeSpec: { process: { terminal: true } } });

  const { text, headers } = await ask(`GET /containers/${mainId}/logs?stdout=1`);

  assert.equal(text, 'one\nthree\nfour\n');
  assert.equal(headers['content-type'], 'application/vnd.docker.raw-stream');
});

test('the type of the stream is that of the version', async (t) => {
  const { ask } = await logged(t);

  assert.equal((await ask(`GET /v1.44/containers/${mainId}/logs?stdout=1`)).headers['content-type'], 'application/vnd.docker.multiplexed-stream');
  assert.equal((await ask(`GET /v1.41/containers/${mainId}/logs?stdout=1`)).headers['content-type'], 'application/vnd.docker.raw-stream');
});

test('a log is followed until its container ends', async (t) => {
  const { open, node, file } = await logged(t);
  const answer = await open(`GET /containers/${mainId}/logs?stdout=1&tail=1&follow=1`);
  const pieces: Buffer[] = [];
  const first = Promise.withResolvers<void>();
  const ended = new Promise<void>((resolve) => void answer.on('end', resolve));
  answer.on('data', (piece: Buffer) => {
    pieces.push(piece);
    first.resolve();
  });
  await first.promise;

  await appendFile(file, '2026-01-31T12:00:04Z stdout F five\n');
  node.statuses.set(mainId, { ...node.statuses.get(mainId)!, state: ContainerState.CONTAINER_EXITED });
  await ended;

  assert.deepEqual(frames(Buffer.concat(pieces)), ['1:four\n', '1:five\n']);
});

test('what cannot be read is told before anything is sent', async (t) => {
  const { ask, node, file } = await logged(t);
  const logs = `GET /containers/${mainId}/logs`;
  const withPath = (logPath: string) => node.statuses.set(mainId, { ...node.statuses.get(mainId)!, logPath });

  assert.equal(messageWith(400, await ask(logs)), 'Bad parameters: you must choose at least one stream');
  assert.match(messageWith(400, await ask(`${logs}?stdout=1&since=soon`)), /^read parameter since: "soon" is neither/);
  assert.equal(messageWith(404, await ask('GET /containers/nobody/logs?stdout=1')), 'No such container: nobody');
  withPath(`${file}.gone`);
  assert.equal(messageWith(404, await ask(`${logs}?stdout=1`)), `read log ${file}.gone: there is no such file: the container wrote nothing yet, or its log was removed`);
  await symlink('/etc/shadow', `${file}.link`);
  withPath(`${file}.link`);
  assert.equal(messageWith(409, await ask(`${logs}?stdout=1`)), `read log ${file}.link: it is a link, and a log is a file`);
  withPath('');
  assert.equal(messageWith(409, await ask(`${logs}?stdout=1`)), 'read the log of k8s_main_web_shop_uid-1_1: its pod was made without a log directory, so nothing was kept');
});
