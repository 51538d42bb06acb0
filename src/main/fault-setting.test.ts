import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { atPoint, disarmFaults, faultsStarted } from '../base/faults.ts';
import { silentLogger } from '../base/log.ts';
import { armFromEnvironment } from './fault-setting.ts';

const plan = { GANTRY_FAULTS: 'error(EIO) before make/bundle' };

afterEach(disarmFaults);

test('a daemon that finds GANTRY_FAULTS does not start unless debug.faults allows it', () => {
  assert.throws(() => armFromEnvironment({ debug: { faults: false } }, plan, silentLogger), {
    kind: 'failed-precondition',
    message: 'start: GANTRY_FAULTS asks this daemon to break on purpose, and the configuration does not allow that: unset the variable (or, on a node that may lose everything, set debug.faults to true)',
  });
});

test('debug.faults alone breaks nothing', async () => {
  for (const environment of [{}, { GANTRY_FAULTS: '' }]) armFromEnvironment({ debug: { faults: true } }, environment, silentLogger);
  faultsStarted();

  await atPoint('make/bundle', () => {});
});

test('with both it breaks, and says so at its start and each time', async () => {
  const warnings: unknown[] = [];
  armFromEnvironment({ debug: { faults: true } }, plan, { ...silentLogger, warn: (text, fields) => warnings.push([text, fields]) });
  faultsStarted();

  await assert.rejects(atPoint('make/bundle', () => {}), { code: 'EIO' });

  assert.deepEqual(warnings, [
    ['THIS DAEMON BREAKS ON PURPOSE: it must not serve a node that matters', { faults: plan.GANTRY_FAULTS }],
    ['fault injected', { act: 'error', point: 'before make/bundle' }],
  ]);
});

test('a plan that cannot be read is refused', () => {
  assert.throws(() => armFromEnvironment({ debug: { faults: true } }, { GANTRY_FAULTS: 'break it' }, silentLogger), { kind: 'invalid-argument' });
});
