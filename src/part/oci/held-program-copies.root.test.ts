import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { heldProgramCopies } from './held-program-copies.ts';

test('what a killed runtime left of its binding of itself is found and taken away, mounted or not; all else stays', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-copies-'));
  const state = join(folder, 'crun');
  const [plain, mounted, other] = [join(state, 'crun.a1B2c3'), join(state, 'crun.Zz0000'), join(state, 'crun.sock')];
  mkdirSync(join(state, 'a'.repeat(64)), { recursive: true });
  for (const file of [plain, mounted, other]) writeFileSync(file, '');
  execFileSync('mount', ['--bind', process.execPath, mounted]);
  t.after(() => {
    if (existsSync(mounted)) execFileSync('umount', [mounted]);
    rmSync(folder, { recursive: true });
  });

  const held = await heldProgramCopies(folder);

  assert.deepEqual(held.map(({ kind, name }) => [kind, name]).sort(), [['runtime program', mounted], ['runtime program', plain]]);
  for (const thing of held) await thing.remove();
  assert.deepEqual(readdirSync(state).sort(), ['a'.repeat(64), 'crun.sock']);
  assert.deepEqual(await heldProgramCopies(folder), []);
});

test('one that is there for a moment is nobody\'s loss', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-copies-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'crun'));
  const copy = join(folder, 'crun/crun.a1B2c3');
  writeFileSync(copy, '');

  const looking = heldProgramCopies(folder);
  setTimeout(() => rmSync(copy), 100);

  assert.deepEqual(await looking, []);
});
