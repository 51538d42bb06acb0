/** docs/security.md says which test holds which promise: the tests it names are there, under these titles. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const page = new URL('../../docs/security.md', import.meta.url);

/** The flaws that a row is about, and the tests in it. */
interface Row {
  readonly flaw: string;
  readonly holds: string;
  readonly tests: readonly { readonly file: string; readonly title: string }[];
}

function rowsOf(text: string): Row[] {
  const table = text.slice(text.indexOf('| flaw |')).split('\n').slice(2).filter((line) => line.startsWith('| '));
  return table.map((line) => {
    const [, flaw = '', holds = '', tests = ''] = line.split('|').map((cell) => cell.trim());
    return { flaw, holds, tests: tests.split('; ').filter((one) => one !== '').flatMap(testsIn) };
  });
}

function testsIn(text: string): Row['tests'] {
  const file = /\]\(([^)]+)\)/.exec(text)?.[1] ?? '';
  return [...text.matchAll(/`([^`]+)`/g)].map(([, title = '']) => ({ file, title }));
}

test('every published flaw that docs/security.md lists is held by a test that exists, or cannot apply', async () => {
  const rows = rowsOf(await readFile(page, 'utf8'));
  assert.ok(rows.length >= 28, `${rows.length} rows`);

  for (const { flaw, holds, tests } of rows) {
    assert.ok(tests.length > 0 || holds.startsWith('cannot apply: '), `${flaw} has neither a test nor a reason`);
    for (const { file, title } of tests) {
      const source = (await readFile(new URL(file, page), 'utf8')).replaceAll("\\'", "'");
      assert.ok(source.includes(title), `${flaw}: ${file} has no test "${title}"`);
    }
  }
});
