import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { HookFolders } from './hook-folders.ts';
import type { HookSubject } from './hook-folders.ts';

let scratch = '';
let low = '';
let high = '';
let warnings: string[] = [];
let hooks: HookFolders;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'gantry-hooks-'));
  [low, high] = [join(scratch, 'usr'), join(scratch, 'etc')];
  mkdirSync(low);
  mkdirSync(high);
  warnings = [];
  hooks = new HookFolders({ folders: () => [low, high], log: { ...silentLogger, warn: (message, fields) => void warnings.push(`${message} ${JSON.stringify(fields)}`) } });
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

function file(path: string, change: { when?: object; args?: string[]; path?: string; stages?: string[] } = {}): void {
  const { when = { always: true }, args = [], path: program = '/bin/sh', stages = ['createRuntime'] } = change;
  writeFileSync(path, JSON.stringify({ version: '1.0.0', hook: { path: program, args }, when, stages }));
}

const subject: HookSubject = { command: '/usr/bin/serve', annotations: { team: 'blue', 'example.com/gpu': 'yes' }, hasBindMounts: true };
const args = async (change: Partial<HookSubject> = {}): Promise<string[]> => (await hooks.matching({ ...subject, ...change })).flatMap((hook) => hook.args);

const conditions: readonly (readonly [when: object, holds: boolean])[] = [
  [{ always: true }, true],
  [{ always: false }, false],
  [{ always: false, commands: ['serve'] }, false],
  [{ hasBindMounts: true }, true],
  [{ hasBindMounts: false }, false],
  [{ commands: ['/init$', '/serve$'] }, true],
  [{ commands: ['/init$'] }, false],
  [{ annotations: { '^team$': '^blue$' } }, true],
  [{ annotations: { '^team$': '^red$' } }, false],
  [{ annotations: { '^team$': 'blue', gpu: 'y' } }, true],
  [{ annotations: { '^team$': 'blue', gpu: 'n' } }, false],
  [{ annotations: { team: 'yes' } }, false],
  [{ always: true, commands: ['/init$'] }, false],
  [{ hasBindMounts: true, annotations: { team: 'blue' }, commands: ['serve'] }, true],
];
for (const [when, expected] of conditions) {
  test(`${JSON.stringify(when)} ${expected ? 'holds' : 'does not hold'}`, async () => {
    file(join(low, 'x.json'), { when });

    assert.equal((await hooks.matching(subject)).length, expected ? 1 : 0);
  });
}

test('a container without bind mounts is not meant by hasBindMounts', async () => {
  file(join(low, 'x.json'), { when: { hasBindMounts: true }, args: ['x'] });

  assert.deepEqual(await args({ hasBindMounts: false }), []);
});

test('each stage of a hook has it, with all that it says', async () => {
  file(join(low, 'x.json'), { args: ['sh', '-c', 'true'], stages: ['prestart', 'poststop'] });

  assert.deepEqual(await hooks.matching(subject), ['createRuntime', 'poststop'].map((stage) => ({ stage, path: '/bin/sh', args: ['sh', '-c', 'true'], env: [], timeout: undefined })));
});

test('hooks come by their names without regard to case; a file above replaces its namesake below', async () => {
  for (const name of ['02-b', '01-X', '01-a']) file(join(low, `${name}.json`), { args: [`low ${name}`] });
  file(join(high, '02-b.json'), { args: ['high 02-b'] });
  file(join(high, 'other.txt'), { args: ['no'] });

  assert.deepEqual(await args(), ['low 01-a', 'low 01-X', 'high 02-b']);
});

test('a broken file is said and left out, and still hides its namesake', async () => {
  file(join(low, 'x.json'), { args: ['x'] });
  file(join(low, 'y.json'), { args: ['y'] });
  writeFileSync(join(high, 'x.json'), '{}');

  assert.deepEqual(await args(), ['y']);
  assert.deepEqual(await args(), ['y']);
  assert.deepEqual(warnings, [`OCI hook file left out {"file":"${high}/x.json","problem":"version: want 1.0.0, the only version that is supported, found nothing"}`]);
  assert.deepEqual((await hooks.report()).files, [join(low, 'y.json')]);
  assert.deepEqual((await hooks.report()).problems.map(({ path }) => path), [join(high, 'x.json')]);
});

test('a file that was changed counts as it is now', async () => {
  file(join(low, 'x.json'), { args: ['x'] });
  assert.deepEqual(await args(), ['x']);

  file(join(low, 'x.json'), { args: ['longer'] });
  assert.deepEqual(await args(), ['longer']);
});

test('a program that is missing refuses the containers that its hook is for, and no others', async () => {
  const program = join(scratch, 'absent');
  file(join(low, 'x.json'), { path: program, when: { commands: ['serve'] } });

  await assert.rejects(hooks.matching(subject), {
    kind: 'failed-precondition',
    message: `run OCI hook ${low}/x.json: its program cannot be run: ENOENT: no such file or directory, access '${program}'; install it or remove the file`,
  });
  assert.deepEqual(await args({ command: '/bin/other' }), []);
  file(join(low, 'x.json'), { path: program, stages: ['startContainer'] });
  assert.equal((await hooks.matching(subject)).length, 1, 'a program of the stage startContainer is one in the container');
});

test('a pattern that a user can make run away fails the container, not the daemon', async () => {
  file(join(low, 'x.json'), { when: { annotations: { team: '^(a+)+$' } } });

  await assert.rejects(hooks.matching({ ...subject, annotations: { team: `${'a'.repeat(40)}!` } }), { kind: 'failed-precondition', message: new RegExp(`^decide on OCI hook ${low}/x.json: one of its patterns takes too long`) });
});
