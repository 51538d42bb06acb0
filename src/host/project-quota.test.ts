import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idsIn } from './project-quota.ts';

test('the ids that an administrator gave are read from both files', () => {
  assert.deepEqual(idsIn('logs:10\n# old:11\n\nweb data: 12 \nodd\n'), [10, 12]);
  assert.deepEqual(idsIn('10:/var/log\n #11:/x\n12:/srv/a:7\n'), [10, 12]);
});
