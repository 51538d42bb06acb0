/** A log that is asked for again while conmon is behind. The test itself is conmon: it has the control fifo and, when it likes, the new file. */
import assert from 'node:assert/strict';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { libc } from '../../host/libc.ts';
import { bundleFiles } from './bundle.ts';
import { processRef } from './process-ref.ts';
import { reopenLog } from './reopen-log.ts';
import type { ReopenLogRequest } from './reopen-log.ts';

interface Conmon {
  readonly request: ReopenLogRequest;
  /** What it was told since it read last. */
  read(): string;
  /** Does what it was told. */
  makeNewFile(): void;
}

function conmon(t: TestContext): Conmon {
  const bundle = mkdtempSync(join(tmpdir(), 'gantry-reopen-'));
  const { control } = bundleFiles(bundle);
  assert.equal(dirname(control), bundle);
  libc.mknod(control, 0o010600, 0n);
  const open = [openSync(control, constants.O_RDWR | constants.O_NONBLOCK)];
  t.after(() => {
    open.forEach((fd) => closeSync(fd));
    rmSync(bundle, { recursive: true });
  });
  const logPath = join(bundle, '0.log');
  return {
    request: { id: 'c1', bundle, logPath, conmon: processRef(process.pid)! },
    read() {
      const buffer = Buffer.alloc(100);
      return buffer.toString('utf8', 0, readSync(open[0]!, buffer));
    },
    makeNewFile: () => void open.push(openSync(logPath, 'w')),
  };
}

test('while conmon is behind it is asked once, however often it is called: the lines after the first new file would be lost', async (t) => {
  const { request, read, makeNewFile } = conmon(t);
  const late = { kind: 'deadline-exceeded', message: `reopen log of container c1: conmon made no new file at ${request.logPath} within 2 s` };

  await Promise.all([assert.rejects(reopenLog(request), late), assert.rejects(reopenLog(request), late)]);
  assert.equal(read(), '2 0 0\n');
  makeNewFile();
  await reopenLog(request);

  assert.throws(read, { code: 'EAGAIN' }, 'nobody asks for what is there already');
});
