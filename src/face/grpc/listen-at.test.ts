import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { listenAt } from './listen-at.ts';

async function scratch(t: TestContext): Promise<string> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'listen-at-'));
  t.after(() => fs.rm(folder, { recursive: true }));
  return folder;
}

function server(t: TestContext): net.Server {
  const made = net.createServer((socket) => socket.destroy());
  t.after(() => void made.close());
  return made;
}

function connects(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(socketPath, () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.unref();
  });
}

/** A socket that nobody answers on, as a killed daemon leaves it. */
async function leaveStaleSocket(socketPath: string): Promise<void> {
  const left = net.createServer();
  await new Promise<void>((resolve) => left.listen(`${socketPath}.tmp`, resolve));
  await fs.rename(`${socketPath}.tmp`, socketPath);
  await new Promise((resolve) => left.close(resolve));
}

test('the socket is for owner and group, in a folder made for the owner alone', async (t) => {
  const socketPath = path.join(await scratch(t), 'run/gantry/cri.sock');

  await listenAt(server(t), socketPath, 'listen for CRI');

  assert.equal((await fs.stat(socketPath)).mode & 0o777, 0o660);
  assert.equal((await fs.stat(path.dirname(socketPath))).mode & 0o777, 0o700);
  assert.deepEqual(await fs.readdir(path.dirname(socketPath)), ['cri.sock']);
  assert.ok(await connects(socketPath));
});

test('a folder that is there keeps its mode', async (t) => {
  const folder = await scratch(t);
  await fs.chmod(folder, 0o755);

  await listenAt(server(t), path.join(folder, 'cri.sock'), 'listen for CRI');

  assert.equal((await fs.stat(folder)).mode & 0o777, 0o755);
});

test('a stale socket is replaced', async (t) => {
  const socketPath = path.join(await scratch(t), 'cri.sock');
  await leaveStaleSocket(socketPath);
  assert.equal(await connects(socketPath), false);

  await listenAt(server(t), socketPath, 'listen for CRI');

  assert.ok(await connects(socketPath));
});

test('a socket that somebody answers on is refused and left alone', async (t) => {
  const socketPath = path.join(await scratch(t), 'cri.sock');
  await listenAt(server(t), socketPath, 'listen for CRI');

  const message = `listen for CRI ${socketPath}: another process answers there; stop it or listen elsewhere`;
  await assert.rejects(listenAt(server(t), socketPath, 'listen for CRI'), { kind: 'already-exists', message });
  assert.ok(await connects(socketPath));
});

test('something that is no socket is refused and left alone', async (t) => {
  const socketPath = path.join(await scratch(t), 'cri.sock');
  await fs.writeFile(socketPath, 'precious');

  const message = `listen for CRI ${socketPath}: there is something that is no socket; remove it or listen elsewhere`;
  await assert.rejects(listenAt(server(t), socketPath, 'listen for CRI'), { kind: 'failed-precondition', message });
  assert.equal(await fs.readFile(socketPath, 'utf8'), 'precious');
});

test('a path longer than the kernel takes is refused', async (t) => {
  const socketPath = path.join(await scratch(t), 'x'.repeat(100));

  const message = `listen for CRI ${socketPath}: a socket's path has at most 107 bytes; choose a shorter one`;
  await assert.rejects(listenAt(server(t), socketPath, 'listen for CRI'), { kind: 'invalid-argument', message });
});

test('what takes the socket away spares one that replaced it', async (t) => {
  const socketPath = path.join(await scratch(t), 'cri.sock');
  const first = server(t);
  const takeAway = await listenAt(first, socketPath, 'listen for CRI');
  await fs.rm(socketPath);
  const takeSecondAway = await listenAt(server(t), socketPath, 'listen for CRI');

  await takeAway();
  await new Promise((resolve) => first.close(resolve));
  assert.ok(await connects(socketPath));

  await takeSecondAway();
  await assert.rejects(fs.lstat(socketPath), { code: 'ENOENT' });
});
