import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaults } from '../base/config/load.ts';
import { assemble } from '../base/config/values.ts';
import { silentLogger } from '../base/log.ts';
import { buildHandlers } from './build-handlers.ts';

const { runtime: settings } = assemble(defaults().entries);

test('a handler that hangs delays nobody: it is a guess by its name until it says what it is', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-handlers-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'odd');
  writeFileSync(path, `#!/bin/sh\nwhile [ ! -e ${folder}/go ]; do sleep 0.02; done\necho runsc version 1\n`, { mode: 0o755 });
  const handlers = { crun: { ...settings.handlers['crun']!, path: '/nowhere/crun' }, odd: { ...settings.handlers['crun']!, path } };

  const built = await buildHandlers({
    settings: { ...settings, handlers }, retired: { old: handlers.odd }, stateDir: folder, log: silentLogger, signal: new AbortController().signal,
    cgroups: { driver: 'cgroupfs', layout: { mode: 'v2', unified: '/sys/fs/cgroup', unifiedControllers: [], v1: new Map() } as never },
  });
  const kinds = () => ['crun', 'odd', 'old'].map((name) => [built.handlers.of(name).isGuess, built.handlers.of(name).sandbox !== undefined]);
  assert.deepEqual(kinds(), [[false, false], [true, false], [true, false]]);
  writeFileSync(join(folder, 'go'), '');
  for (const told of await Promise.all(built.late)) built.handlers.settle(told!.guess, told!.known);

  assert.deepEqual(kinds(), [[false, false], [false, true], [false, true]]);
});
