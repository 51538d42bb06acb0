import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHookFile } from './hook-file.ts';
import type { HookFile } from './hook-file.ts';

const read = (change: object = {}): HookFile => parseHookFile(JSON.stringify({ version: '1.0.0', hook: { path: '/bin/x' }, when: { always: true }, stages: ['poststop'], ...change }));

test('a file is read whole', () => {
  const { program, when, stages } = read({
    hook: { path: '/bin/x', args: ['x', '-v'], env: ['A=1'], timeout: 4 },
    when: { always: true, hasBindMounts: true, annotations: { '^a$': 'b' }, commands: ['/init$'] },
    stages: ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'],
    comment: 'what else stands in it does not matter',
  });

  assert.deepEqual(program, { path: '/bin/x', args: ['x', '-v'], env: ['A=1'], timeout: 4 });
  assert.deepEqual(when, { always: true, hasBindMounts: true, annotations: [{ key: /^a$/u, value: /b/u }], commands: [/\/init$/u] });
  assert.deepEqual(stages, ['createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'], 'prestart is createRuntime, and each stage is once');
});

const refusals: readonly (readonly [what: string, change: object, message: string])[] = [
  ['another version', { version: '0.1.0' }, 'version: want 1.0.0, the only version that is supported, found "0.1.0"'],
  ['no version', { version: undefined }, 'version: want 1.0.0, the only version that is supported, found nothing'],
  ['no program', { hook: {} }, 'hook.path: want a text, found nothing'],
  ['a relative program', { hook: { path: 'x' } }, 'hook.path: want an absolute path, found "x"'],
  ['no patience', { hook: { path: '/x', timeout: 0 } }, 'hook.timeout: want a whole number from 1 to 2147483647, found 0'],
  ['no condition', { when: {} }, 'when: want at least one condition, such as "always": true, found an object'],
  ['an unknown condition', { when: { allways: true } }, 'when.allways is not known: known are always, annotations, commands, hasBindMounts'],
  ['a broken pattern', { when: { commands: ['('] } }, 'when.commands[0]: "(" is no regular expression'],
  ['a broken pattern for a name', { when: { annotations: { '[': 'x' } } }, 'when.annotations.[: "[" is no regular expression'],
  ['no stage', { stages: [] }, 'stages: want at least one stage, found a list'],
  ['an unknown stage', { stages: ['prestop'] }, 'stages[0]: want one of prestart, createRuntime, createContainer, startContainer, poststart, poststop, found "prestop"'],
];
for (const [what, change, message] of refusals) {
  test(`refused: ${what}`, () => {
    assert.throws(() => read(change), { message });
  });
}
