import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import { check, kebab, problemsOf } from './check-rpcs.ts';

test('every RPC has its file', () => {
  assert.deepEqual(check(), []);
});

test('the name of a file follows from the proto', () => {
  assert.equal(kebab('ReopenContainerLog'), 'reopen-container-log');
  assert.equal(kebab('Exec'), 'exec');
});

test('a missing, an additional, a misnamed and an overlong file are told', (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'check-rpcs-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const put = (name: string, text: string): void => fs.writeFileSync(path.join(folder, 'a-service', name), text);
  fs.mkdirSync(path.join(folder, 'a-service'));
  put('good.ts', 'export async function good() {}\n');
  put('watch.ts', 'export async function* watch() {}\n');
  put('good.test.ts', 'not counted');
  put('wrong-name.ts', 'export async function other() {}\n');
  put('long.ts', `export async function long() {${'\n'.repeat(90)}}\n`);
  put('old.ts', '');

  assert.deepEqual(problemsOf(['AService.Good', 'AService.Watch', 'AService.WrongName', 'AService.Long', 'AService.Gone'], folder), [
    'a-service/wrong-name.ts: does not export wrongName',
    'a-service/long.ts: 91 lines, at most 80',
    'a-service/gone.ts: missing, AService has Gone',
    'a-service/old.ts: AService has no such RPC',
  ]);
});
