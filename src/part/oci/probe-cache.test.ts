import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { failure } from '../../base/errors.ts';
import type { OciRuntime } from './oci-runtime.ts';
import { ProbeCache } from './probe-cache.ts';
import type { RuntimeProbe } from './runtime-probe.ts';

const able: RuntimeProbe = { version: 'odd version 1', idmappedMounts: false, recursiveReadOnly: false, checkpoint: false };
const hang = failure('deadline-exceeded', { act: 'ask the version of', object: '/odd', why: 'odd (--version) did not finish within 10 s' });

/** A handler whose program is a file of the test's, and what it answers one time after the other. */
function runtimeOf(t: TestContext, answers: (RuntimeProbe | Error | Promise<RuntimeProbe>)[]) {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-probe-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'odd');
  writeFileSync(path, '');
  const probe = async (): Promise<RuntimeProbe> => {
    const answer = await answers.shift();
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error('asked too often');
    return answer;
  };
  return { path, runtime: { path, command: { file: path, args: [] }, probe } as unknown as OciRuntime };
}

test('a handler that answered is not asked again until its program is another one', async (t) => {
  const { path, runtime } = runtimeOf(t, [able, { ...able, version: 'odd version 2' }]);
  const probes = new ProbeCache();

  assert.deepEqual([await probes.ask(runtime), await probes.ask(runtime)], [able, able]);
  rmSync(path);
  writeFileSync(path, 'a later one', { mode: 0o755 });

  assert.deepEqual(await probes.ask(runtime), { ...able, version: 'odd version 2' });
});

test('one that crashes is told so, and asked again each time', async (t) => {
  const { runtime } = runtimeOf(t, [failure('internal', { act: 'ask the version of', object: '/odd', why: 'odd: it ended by signal 11' }), able]);
  const probes = new ProbeCache();

  assert.deepEqual(await probes.ask(runtime), { error: 'ask the version of /odd: odd: it ended by signal 11' });
  assert.deepEqual(await probes.ask(runtime), able);
});

test('one that hung holds nobody up a second time, and is believed once it answers', async (t) => {
  const late = Promise.withResolvers<RuntimeProbe>();
  const { runtime } = runtimeOf(t, [hang, late.promise]);
  const probes = new ProbeCache();
  const hung = { error: 'ask the version of /odd: odd (--version) did not finish within 10 s' };

  assert.deepEqual([await probes.ask(runtime), await probes.ask(runtime), await probes.ask(runtime)], [hung, hung, hung]);
  late.resolve(able);
  while ('error' in await probes.ask(runtime)) await nextTurn(); // it is told what was known until the answer is there

  assert.deepEqual(await probes.ask(runtime), able);
});

test('one that hangs is waited for a moment the first time, told as that, and believed once it answers', async (t) => {
  const late = Promise.withResolvers<RuntimeProbe>();
  const { path, runtime } = runtimeOf(t, [late.promise]);
  const probes = new ProbeCache({ patienceMs: 1 });
  const silent = { error: `ask the version of ${path}: no answer in 0.001 s, and it is still waited for` };

  assert.deepEqual([await probes.ask(runtime), await probes.ask(runtime)], [silent, silent]);
  late.resolve(able);

  assert.deepEqual(await probes.answer(runtime), able);
  assert.deepEqual(await probes.ask(runtime), able);
});
