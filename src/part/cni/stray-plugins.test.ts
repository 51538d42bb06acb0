import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';

import { spawn } from '../../host/spawn.ts';
import { endStrayPlugins } from './stray-plugins.ts';

test('a plugin that goes on is killed with its children, that of another container is not', async (t) => {
  const [mine, other] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
  const plugin = (id: string) => spawn('/bin/sh', ['-c', 'sleep 60 & sleep 60'], { env: { PATH: process.env['PATH'] ?? '', CNI_CONTAINERID: id }, stdio: ['null', 'null', 'pipe-out'] });
  const [stray, stranger] = [plugin(mine), plugin(other)];
  t.after(async () => {
    stranger.kill('SIGKILL');
    await stranger.exited;
    stranger.streams[2]?.destroy();
  });

  const closed = once(stray.streams[2]!, 'close'); // its child holds the pipe too

  await endStrayPlugins(mine);

  assert.equal((await stray.exited).signal, 9);
  await closed;
  assert.doesNotThrow(() => process.kill(stranger.pid, 0));
});

test('with none there is nothing to do', async () => {
  await endStrayPlugins(randomBytes(32).toString('hex'));
});
