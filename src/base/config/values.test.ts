import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from './layer.ts';
import { defaults } from './load.ts';
import { applyLive, assemble, changesBetween } from './values.ts';

/** The default entries with some values replaced. */
function entriesWith(values: Readonly<Record<string, unknown>>): Map<string, Entry> {
  const changed = Object.entries(values).map(([key, value]) => [key, { value, origin: 'test' }] as const);
  return new Map([...defaults().entries, ...changed]);
}

test('changes name key, old and new value as TOML, and whether a reload applies them', () => {
  const before = entriesWith({});
  const after = entriesWith({ 'log.level': 'debug', root: '/srv/gantry', 'runtime.handlers.runsc.path': '/usr/bin/runsc' });

  assert.deepEqual(changesBetween(before, after), [
    { key: 'root', from: '"/var/lib/gantry"', to: '"/srv/gantry"', applies: 'restart' },
    { key: 'log.level', from: '"info"', to: '"debug"', applies: 'live' },
    { key: 'runtime.handlers.runsc.path', from: undefined, to: '"/usr/bin/runsc"', applies: 'live' },
  ]);
});

test('the same value from another place is no change', () => {
  assert.deepEqual(changesBetween(entriesWith({}), entriesWith({ 'cni.bin_dirs': ['/opt/cni/bin', '/usr/lib/cni'] })), []);
});

test('a reload takes what applies live and keeps what needs a restart', () => {
  const before = entriesWith({ 'runtime.handlers.old.path': '/old' });
  const after = entriesWith({ 'log.level': 'debug', root: '/srv/gantry', 'runtime.handlers.new.path': '/new' });

  const config = assemble(applyLive(before, after));

  assert.equal(config.log.level, 'debug');
  assert.equal(config.root, '/var/lib/gantry');
  assert.deepEqual(Object.keys(config.runtime.handlers).sort(), ['crun', 'new', 'runc']);
});
