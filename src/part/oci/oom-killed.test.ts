import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wasOomKilled } from './oom-killed.ts';

test('the counter of the cgroup decides when it is known, the oom file of conmon when it is gone', (t) => {
  const bundle = mkdtempSync(join(tmpdir(), 'gantry-oom-'));
  t.after(() => rmSync(bundle, { recursive: true }));
  const evidence = { exitCode: 137, oomKillsAround: 0, bundle, killedByUs: false };

  assert.equal(wasOomKilled({ ...evidence, oomKills: 1 }), true);
  assert.equal(wasOomKilled({ ...evidence, oomKills: undefined }), false);

  writeFileSync(join(bundle, 'oom'), '');
  assert.equal(wasOomKilled({ ...evidence, oomKills: undefined }), true);
  assert.equal(wasOomKilled({ ...evidence, oomKills: 0 }), false, 'a neighbour ran out of memory, not we');
});

test('a container that ended well, or that we killed, was not killed for memory', () => {
  assert.equal(wasOomKilled({ exitCode: 0, oomKills: 1, oomKillsAround: 1, bundle: '/nowhere', killedByUs: false }), false);
  assert.equal(wasOomKilled({ exitCode: 137, oomKills: 1, oomKillsAround: 1, bundle: '/nowhere', killedByUs: true }), false);
});

test('where systemd was faster than conmon, a SIGKILL counts that the pod\'s cgroup counted', () => {
  const gone = { exitCode: 137, oomKills: undefined, oomKillsAround: 1, bundle: '/nowhere', killedByUs: false };

  assert.equal(wasOomKilled(gone), true);
  assert.equal(wasOomKilled({ ...gone, oomKillsAround: 0 }), false);
  assert.equal(wasOomKilled({ ...gone, oomKills: 0 }), false, 'a neighbour\'s');
  assert.equal(wasOomKilled({ ...gone, exitCode: 1 }), false);
  assert.equal(wasOomKilled({ ...gone, killedByUs: true }), false);
});
