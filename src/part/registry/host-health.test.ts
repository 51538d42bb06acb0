import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostHealth } from './host-health.ts';

test('a host that failed rests behind the others, twice as long each time, until it answers', () => {
  let now = 0;
  const health = new HostHealth(() => now);
  const order = (): string => health.order(['a', 'b'], (name) => name).join('');

  assert.equal(order(), 'ab');
  health.failed('a');
  assert.deepEqual([order(), health.restsFor('a')], ['ba', 30]);
  now += 10_000;
  health.failed('a'); // another pull that was under way: no new fact
  assert.equal(health.restsFor('a'), 20);
  now += 20_000;
  assert.equal(order(), 'ab');
  health.failed('a');
  assert.equal(health.restsFor('a'), 60);
  health.succeeded('a');
  assert.deepEqual([order(), health.restsFor('a')], ['ab', 0]);
});

test('a host never rests longer than ten minutes', () => {
  let now = 0;
  const health = new HostHealth(() => now);

  for (let n = 0; n < 20; n++) {
    health.failed('a');
    now += health.restsFor('a') * 1000;
  }
  health.failed('a');

  assert.equal(health.restsFor('a'), 600);
});
