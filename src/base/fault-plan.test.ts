import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFaults } from './fault-plan.ts';

test('a plan is read rule by rule', () => {
  const usual = { passage: 1, atStart: false };
  const rows: [string, object][] = [
    ['kill before RunPodSandbox/network', { ...usual, action: { do: 'kill' }, when: 'before', point: 'RunPodSandbox/network' }],
    ['error(ENOSPC) after make/bundle #3', { ...usual, action: { do: 'error', code: 'ENOSPC' }, when: 'after', point: 'make/bundle', passage: 3 }],
    ['delay(250) before * every time', { ...usual, action: { do: 'delay', ms: 250 }, when: 'before', point: '*', passage: undefined }],
    ['hang before program/cni add bridge', { ...usual, action: { do: 'hang' }, when: 'before', point: 'program/cni add bridge' }],
    ['torn before file/write', { ...usual, action: { do: 'torn' }, when: 'before', point: 'file/write' }],
    ['kill before undo/* at start', { ...usual, action: { do: 'kill' }, when: 'before', point: 'undo/*', atStart: true }],
    ['kill before * #2 at start', { action: { do: 'kill' }, when: 'before', point: '*', passage: 2, atStart: true }],
    ['trace(/tmp/x) after CreateContainer/runtime create', { ...usual, action: { do: 'trace', file: '/tmp/x' }, when: 'after', point: 'CreateContainer/runtime create' }],
  ];
  for (const [text, rule] of rows) assert.deepEqual(parseFaults(text), [rule], text);
  assert.deepEqual(parseFaults(rows.map(([text]) => text).join(' ;')), rows.map(([, rule]) => rule));
  assert.deepEqual(parseFaults(' ; '), []);
});

test('what cannot be understood is refused, with the rule and what it could be', () => {
  const rows: [string, RegExp][] = [
    ['kill RunPodSandbox/network', /a rule is ACTION before\|after POINT/],
    ['explode before RunPodSandbox/network', /a rule is ACTION/],
    ['kill before RunPodSandbox/netwrok', /there is no fault point RunPodSandbox\/netwrok \(npm run fault -- --points lists them\)/],
    ['error before make/bundle', /the actions are kill, hang, torn, error\(ENOSPC\)/],
    ['delay(soon) before make/bundle', /the actions are/],
    ['kill(9) before make/bundle', /the actions are/],
    ['trace(here) before make/bundle', /the actions are/],
    ['torn before layer/rename', /only what comes before file\/write can be torn/],
    ['hang before store/commit', /holds up the whole daemon: delay it instead/],
  ];
  for (const [text, why] of rows) {
    assert.throws(() => parseFaults(text), (error: Error) => why.test(error.message) && error.message.startsWith(`read GANTRY_FAULTS "${text}": `), text);
  }
});
