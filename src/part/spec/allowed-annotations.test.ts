import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowedAnnotations } from './allowed-annotations.ts';

test('what would have CRIU run programs on the node reaches no runtime, whatever the configuration allows', () => {
  const handler = { allowedAnnotations: ['*'], annotations: { 'org.criu.config': '/etc/criu/ours.conf' } } as never;

  const seen = allowedAnnotations({ handler, workloads: [] }, { 'org.criu.config': '/tmp/evil.conf', colour: 'red' }, { 'org.criu.other': 'x' });

  assert.deepEqual(seen, { 'org.criu.config': '/etc/criu/ours.conf', colour: 'red' });
});
