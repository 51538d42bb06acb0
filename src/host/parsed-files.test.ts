import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { ParsedFiles } from './parsed-files.ts';

let folder = '';
let parsed: string[] = [];
let warnings = 0;
let files: ParsedFiles<string>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-parsed-'));
  parsed = [];
  warnings = 0;
  files = new ParsedFiles({
    what: 'test',
    suffixes: ['.txt'],
    parse(text) {
      parsed.push(text);
      if (text === 'broken') throw new Error('it is broken');
      return text.toUpperCase();
    },
    log: { ...silentLogger, warn: () => void warnings++ },
  });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const contents = async (): Promise<(string | undefined)[]> => (await files.read([folder])).map(({ content, problem }) => content ?? problem);
const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);

test('files are read by name, and once for each version', async () => {
  write('b.txt', 'b');
  write('a.txt', 'a');
  write('c.other', 'c');

  assert.deepEqual(await contents(), ['A', 'B']);
  assert.deepEqual(await contents(), ['A', 'B']);
  assert.deepEqual(parsed.sort(), ['a', 'b']);
});

test('another version is noticed also when its length and its time are the same', async () => {
  write('a.txt', 'one');
  utimesSync(join(folder, 'a.txt'), 1, 1);
  assert.deepEqual(await contents(), ['ONE']);

  write('new', 'two');
  utimesSync(join(folder, 'new'), 1, 1);
  renameSync(join(folder, 'new'), join(folder, 'a.txt'));
  assert.deepEqual(await contents(), ['TWO']);
});

test('a symlink is what it points to, now', async () => {
  write('one', 'one');
  write('two', 'two');
  symlinkSync('one', join(folder, 'a.txt'));
  assert.deepEqual(await contents(), ['ONE']);

  rmSync(join(folder, 'a.txt'));
  symlinkSync('two', join(folder, 'a.txt'));
  assert.deepEqual(await contents(), ['TWO']);
});

test('a broken file is told of once for each version, and is whole again when it was put right', async () => {
  write('a.txt', 'broken');
  assert.deepEqual(await contents(), ['it is broken']);
  assert.deepEqual(await contents(), ['it is broken']);
  assert.equal(warnings, 1);

  write('a.txt', 'right');
  assert.deepEqual(await contents(), ['RIGHT']);
});

test('what is no plain file of a sane size is a problem, and nothing waits for it', async () => {
  mkdirSync(join(folder, 'folder.txt'));
  execFileSync('mkfifo', [join(folder, 'pipe.txt')]);
  write('vast.txt', 'x'.repeat((1 << 20) + 1));
  symlinkSync('/absent', join(folder, 'gone.txt'));

  assert.deepEqual(await contents(), ['it is not a regular file', 'it is not a regular file', 'it has 1048577 bytes, and at most 1048576 are read']);
});

test('folders that are not there have no files', async () => {
  assert.deepEqual(await files.read([join(folder, 'absent')]), []);
});
