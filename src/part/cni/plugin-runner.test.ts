import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { test } from 'node:test';

import { GantryError } from '../../base/errors.ts';
import type { ErrorKind } from '../../base/errors.ts';
import { cniError, fakeNode } from './fake-plugins.fake.ts';
import { cniCodeOf, createPluginRunner, parseAnswer } from './plugin-runner.ts';
import type { PluginCall } from './plugin-runner.ts';

const call: PluginCall = { verb: 'ADD', type: 'bridge', networkName: 'podnet', request: '{}', env: { CNI_IFNAME: 'eth0' } };

/** Matches an error by kind and message. */
const of = (kind: ErrorKind, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof GantryError, String(error));
  assert.equal(error.kind, kind);
  assert.match(error.message, message);
  return true;
};

test('a plugin gets its environment and its request, and its output comes back', async (t) => {
  const node = await fakeNode(t);
  await node.plugin('bridge', { ADD: 'echo hello' });

  const stdout = await createPluginRunner({ binDirs: ['/nothing/here', node.binDir], deadlineMs: 5_000 })(call);

  assert.equal(stdout, 'hello\n');
  const [seen] = await node.calls();
  assert.deepEqual(seen?.env, { CNI_COMMAND: 'ADD', CNI_IFNAME: 'eth0', CNI_PATH: `/nothing/here:${node.binDir}` });
});

for (const [code, kind] of [[1, 'failed-precondition'], [2, 'failed-precondition'], [7, 'failed-precondition'], [11, 'unavailable'], [50, 'unavailable'], [51, 'unavailable'], [4, 'internal'], [5, 'internal'], [999, 'internal']] as const) {
  test(`CNI code ${code} is ${kind}, with what the plugin said`, async (t) => {
    const node = await fakeNode(t);
    await node.plugin('bridge', { ADD: cniError(code, 'no luck', 'pool is empty') });

    const failed = await createPluginRunner({ binDirs: [node.binDir], deadlineMs: 5_000 })(call).catch((error: unknown) => error);

    of(kind, new RegExp(`^CNI ADD with plugin bridge on network podnet: no luck; pool is empty; CNI code ${code}$`))(failed);
    assert.equal(cniCodeOf(failed), code);
  });
}

test('a plugin that is in no directory is failed-precondition and names them all', async (t) => {
  const node = await fakeNode(t);
  await fs.mkdir(path.join(node.binDir, 'bridge'));

  await assert.rejects(createPluginRunner({ binDirs: ['/opt/nothing', node.binDir], deadlineMs: 5_000 })(call),
    of('failed-precondition', new RegExp(`there is no executable bridge in /opt/nothing, ${node.binDir}; install the plugin`)));
});

test('a plugin whose interpreter is missing is failed-precondition', async (t) => {
  const node = await fakeNode(t);
  await fs.writeFile(path.join(node.binDir, 'bridge'), '#!/nothing/here\n', { mode: 0o755 });

  await assert.rejects(createPluginRunner({ binDirs: [node.binDir], deadlineMs: 5_000 })(call), of('failed-precondition', /the interpreter that it names, is gone/));
});

test('a plugin that hangs is killed with its children at the deadline', async (t) => {
  const node = await fakeNode(t);
  const pidFile = path.join(node.binDir, 'child');
  await node.plugin('bridge', { ADD: `sleep 1000 & echo $! > ${pidFile}; wait` });

  await assert.rejects(createPluginRunner({ binDirs: [node.binDir], deadlineMs: 300 })(call), of('deadline-exceeded', /plugin bridge on network podnet: it did not finish within 300 ms and was killed/));

  const child = Number(await fs.readFile(pidFile, 'utf8'));
  const state = await fs.readFile(`/proc/${child}/stat`, 'utf8').catch(() => 'gone');
  assert.match(state, /^gone$|\) Z /);
});

test('a plugin that dies without an error object is quoted, with the end of what it wrote to stderr', async (t) => {
  const node = await fakeNode(t);
  await node.plugin('bridge', { ADD: `head -c 5000 /dev/zero | tr '\\0' x >&2; echo 'last words' >&2; exit 3` });

  const failed = await createPluginRunner({ binDirs: [node.binDir], deadlineMs: 5_000 })(call).catch((error: unknown) => error);

  of('internal', /it ended with code 3 and no CNI error; stderr: "…x+last words"$/)(failed);
  assert.ok((failed as Error).message.length < 900);
});

test("a plugin's text cannot break out of the line it is quoted on", async (t) => {
  const node = await fakeNode(t);
  await node.plugin('bridge', { ADD: cniError(7, 'line one\nlevel=error forged\u001b[31m') });

  const failed = await createPluginRunner({ binDirs: [node.binDir], deadlineMs: 5_000 })(call).catch((error: unknown) => error);

  of('failed-precondition', /: line one level=error forged \[31m; CNI code 7$/)(failed);
});

test('an answer that is not JSON is quoted, and none at all is said so', () => {
  assert.throws(() => parseAnswer(call, '<html>'), of('internal', /CNI ADD with plugin bridge on network podnet: its answer is not JSON: "<html>"/));
  assert.throws(() => parseAnswer(call, ' \n'), of('internal', /it succeeded but answered nothing/));
});

test('endless output is cut and refused', async (t) => {
  const node = await fakeNode(t);
  await node.plugin('bridge', { ADD: 'head -c 3000000 /dev/zero' });

  await assert.rejects(createPluginRunner({ binDirs: [node.binDir], deadlineMs: 5_000 })(call), of('internal', /more output than a plugin may/));
});
