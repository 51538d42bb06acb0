import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProbe } from './runtime-probe.ts';

test('a crun that cannot list its features is judged by its version', () => {
  const probe = parseProbe('crun version 1.8.1\ncommit: f8a096\nspec: 1.0.0\n+SYSTEMD +SECCOMP +YAJL\n', undefined);

  assert.deepEqual(probe, { version: 'crun version 1.8.1', idmappedMounts: true, recursiveReadOnly: true, checkpoint: false });
  for (const [version, expected] of [['1.3', false], ['1.8', false], ['1.8.1', true], ['1.9', true], ['2.0', true]] as const) {
    assert.equal(parseProbe(`crun version ${version}\n`, undefined).idmappedMounts, expected, version);
  }
  assert.equal(parseProbe('runc version 1.1.5+ds1\n', undefined).idmappedMounts, false);
});

test('a runtime that lists its features is believed', () => {
  const features = JSON.stringify({ mountOptions: ['bind', 'rro'], linux: { mountExtensions: { idmap: { enabled: true } } } });

  assert.deepEqual(parseProbe('runc version 1.2.0\n', features), { version: 'runc version 1.2.0', idmappedMounts: true, recursiveReadOnly: true, checkpoint: false });
  assert.equal(parseProbe('runc version 1.1.5\n', '{"mountOptions":["bind"]}').idmappedMounts, false);
});

test('CRIU shows in the version text or in an annotation', () => {
  assert.equal(parseProbe('crun version 1.21\n+CRIU +YAJL\n', '{}').checkpoint, true);
  assert.equal(parseProbe('runc version 1.1.5\n', '{"annotations":{"org.opencontainers.runc.checkpoint.enabled":"true"}}').checkpoint, true);
});
