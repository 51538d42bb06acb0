import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runtimeKind } from './runtime-kind.ts';

test('a runtime is known by what it says of itself, and by its name when it says nothing', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-kind-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = (name: string, says: string): string => {
    writeFileSync(join(folder, name), `#!/bin/sh\necho "${says}"\n`, { mode: 0o755 });
    return join(folder, name);
  };

  assert.equal(await runtimeKind(program('odd-name', 'crun version 1.8.1')), 'crun');
  assert.equal(await runtimeKind(program('other-name', 'runsc version release-20221219')), 'runsc');
  assert.equal(await runtimeKind(program('crun', 'runc version 1.1.5')), 'plain');
  assert.equal(await runtimeKind('/nowhere/crun-1.21'), 'crun');
  assert.equal(await runtimeKind('/nowhere/runsc'), 'runsc');
  assert.equal(await runtimeKind('/nowhere/runsc-2024'), 'runsc');
  assert.equal(await runtimeKind('/nowhere/runc'), 'plain');
});
