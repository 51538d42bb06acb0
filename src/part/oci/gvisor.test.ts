import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasHostNetwork, isGvisor } from './gvisor.ts';

test('the last flag for the network decides whether pods use the node\'s', () => {
  const rows: [string[], boolean][] = [
    [[], false],
    [['--network=host'], true],
    [['-network=host', '--debug'], true],
    [['--network', 'host'], true],
    [['--network=host', '--network=sandbox'], false],
    [['--platform=host'], false],
  ];

  for (const [flags, expected] of rows) assert.equal(hasHostNetwork(flags), expected, flags.join(' '));
});

test('a program that is not there yet is known by its name', async () => {
  assert.equal(await isGvisor('/nowhere/runsc'), true);
  assert.equal(await isGvisor('/nowhere/runsc-2024'), true);
  assert.equal(await isGvisor('/nowhere/runc'), false);
});
