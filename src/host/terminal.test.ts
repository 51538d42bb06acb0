import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConsoleSocket } from './console-socket.ts';
import { clampSize, openRawTerminal, Terminal } from './terminal.ts';

test('what was written before the end comes whole to a reader who is late', async () => {
  const { terminal, slave } = openRawTerminal();
  writeSync(slave, 'x'.repeat(3000));
  closeSync(slave);
  await sleep(50);

  assert.equal((await text(terminal)).length, 3000);
  terminal.destroy();
});

test('a size is what the kernel can count, and after the end it is nothing', () => {
  assert.deepEqual([-1, 80.5, 1e9].map(clampSize), [0, 80, 65_535]);
  const { terminal, slave } = openRawTerminal();
  terminal.destroy();
  closeSync(slave);

  terminal.resize({ columns: 1, rows: 1 });
});

test('only the master of a pseudo-terminal is taken', () => {
  assert.throws(() => new Terminal(openSync('/dev/null', 'r+')), { kind: 'failed-precondition', message: 'open terminal: the OCI runtime sent something else than the master of a pseudo-terminal' });
});

test('a message without a terminal is refused, and the socket goes, however long its path is', async () => {
  const directory = await mkdtemp(join(tmpdir(), `gantry-${'long'.repeat(25)}-`));
  const path = join(directory, 'console.sock');
  const socket = await ConsoleSocket.listen(path);

  const directoryFd = openSync(directory, 'r');
  connect(`/proc/self/fd/${directoryFd}/console.sock`).end('hello');

  await assert.rejects(socket.terminal, { kind: 'failed-precondition', message: 'open terminal: the OCI runtime sent a message without a terminal' });
  await assert.rejects(rm(path), { code: 'ENOENT' });
  closeSync(directoryFd);
  await rm(directory, { recursive: true });
});
