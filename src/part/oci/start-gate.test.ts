import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { StartGates } from './start-gate.ts';

test('with a container go its gate and its lock, with its sandbox the locks of all that were in it, and no others', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'gantry-gates-'));
  t.after(() => rmSync(root, { recursive: true }));
  const gates = new StartGates(root);
  const file = (name: string): void => writeFileSync(join(root, name), '');
  mkdirSync(join(root, 'web'));
  for (const name of ['web_sandbox:pod.lock', 'log_sandbox:pod.lock', 'log_sandbox:pod.state', 'old_sandbox:pod.lock', 'pod_sandbox:pod.lock', 'pod_sandbox:pod.state', 'next_sandbox:next.lock', 'gone_sandbox:gone.lock']) file(name);
  gates.expect('next');

  await gates.remove('web');
  assert.deepEqual(readdirSync(root).sort(), ['log_sandbox:pod.lock', 'log_sandbox:pod.state', 'next_sandbox:next.lock', 'old_sandbox:pod.lock', 'pod_sandbox:pod.lock', 'pod_sandbox:pod.state']);
  for (const name of ['log_sandbox:pod.state', 'pod_sandbox:pod.state']) rmSync(join(root, name));
  await gates.remove('pod');

  assert.deepEqual(readdirSync(root), ['next_sandbox:next.lock'], 'one that is being made keeps its lock');
});
