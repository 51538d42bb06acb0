import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingAt } from './keys.ts';
import { LayerBuilder } from './layer.ts';
import type { Entry } from './layer.ts';
import { defaults } from './load.ts';
import { applyLive, assemble, changesBetween, withoutSecrets } from './values.ts';

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

test('the values of environment variables are told to nobody, and that they changed is', () => {
  const [before, after] = ['first', 'second'].map((password) => entriesWith({ 'container.default_env': { HTTP_PROXY: `http://user:${password}@proxy` }, 'container.umask': 0o27 }));

  assert.deepEqual(changesBetween(before!, after!), [{ key: 'container.default_env', from: '["HTTP_PROXY=…"]', to: '["HTTP_PROXY=…"]', applies: 'live' }]);
  const config = assemble(after!);
  assert.deepEqual(structuredClone(withoutSecrets(config)), structuredClone({ ...config, container: { ...config.container, defaultEnv: { HTTP_PROXY: '…' } } }));
  assert.equal(config.container.defaultEnv['HTTP_PROXY'], 'http://user:second@proxy');
});

test('a list of variables that is wrong is refused without telling their values', () => {
  const layer = new LayerBuilder();
  const [key, origin] = ['container.default_env', 'test'];

  for (const raw of [['PASSWORD=secret', 'secret', 7, '=secret'], 'PASSWORD=secret']) layer.read({ key, setting: settingAt(key)!, raw, origin });

  assert.deepEqual(layer.problems.map((problem) => problem.slice(0, problem.indexOf(': want'))), ['test: container.default_env = ["PASSWORD=…","…","…","=…"]', 'test: container.default_env = "…"']);
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
