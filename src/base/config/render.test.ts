import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'smol-toml';
import { flagsHelp } from './flags-help.ts';
import { flaggedSettings, flagOf } from './flags-layer.ts';
import { keyedSettings } from './keys.ts';
import type { Entry } from './layer.ts';
import { defaults } from './load.ts';
import { configurationReference } from './reference.ts';
import { defaultToml, effectiveToml } from './render.ts';
import { readToml } from './toml-layer.ts';

const valuesOf = (entries: ReadonlyMap<string, Entry>) => new Map([...entries].map(([key, { value }]) => [key, value]));

test('the default file reads back as the defaults, all of them', () => {
  const { entries, problems } = readToml(defaultToml(), 'default file');

  assert.deepEqual(problems, []);
  assert.deepEqual(valuesOf(entries), valuesOf(defaults().entries));
});

test('the default file explains every setting and fits a terminal', () => {
  const text = defaultToml();

  for (const { environment } of keyedSettings) assert.ok(text.includes(environment), environment);
  for (const line of text.split('\n')) assert.ok(line.length <= 100, line);
  assert.match(text, /^# \[workloads\.NAME\]\n(#   .*\n)+#   activation_annotation = \.\.\.  \(has to be given\)$/m);
});

test('the effective values are TOML that reads back, each with its origin', () => {
  const file = readToml('[runtime.handlers.runsc]\npath = "/usr/bin/runsc"\nallowed_annotations = ["dev.gvisor.*"]', '/etc/gantry/config.toml');
  const entries = new Map([...defaults().entries, ...file.entries]);
  entries.set('log.level', { value: 'debug', origin: 'flag --log-level' });

  const text = effectiveToml(entries);

  assert.deepEqual(valuesOf(readToml(text, 'shown').entries), valuesOf(entries));
  assert.match(text, /^level = "debug" +# flag --log-level$/m);
  assert.match(text, /\[runtime\.handlers\.runsc\]\npath = "\/usr\/bin\/runsc" +# \/etc\/gantry\/config\.toml/);
  assert.match(text, /^allowed_annotations = \["dev\.gvisor\.\*"\] +# \/etc\/gantry\/config\.toml$/m);
  assert.ok(parse(text));
});

test('help names every flag with its default', () => {
  const help = flagsHelp();

  for (const { setting } of flaggedSettings) assert.ok(help.includes(`  ${flagOf(setting)} `), flagOf(setting));
  assert.match(help, /--log-level debug\|info\|warn\|error\n {6}The least .*\(default: "info"\)/);
});

test('docs/configuration.md is what the schema says: run "node scripts/generate-docs.ts"', () => {
  const written = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');

  assert.equal(written, configurationReference());
});

test('the reference names every setting with its environment variable', () => {
  const text = configurationReference();

  for (const { key, environment } of keyedSettings) assert.ok(text.includes(`**\`${key}\`**`) && text.includes(`\`${environment}\``), key);
});
