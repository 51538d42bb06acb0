import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findProgram } from './find-program.ts';

test('a program is the first executable of its name in the search path', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-find-'));
  t.after(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, 'tool'), '', { mode: 0o755 });
  await writeFile(join(directory, 'text'), '', { mode: 0o644 });

  assert.equal(findProgram('tool', `/nowhere:${directory}:/bin`), join(directory, 'tool'));
  assert.equal(findProgram('text', directory), undefined);
  assert.equal(findProgram('tool', '.:relative:'), undefined);
});
