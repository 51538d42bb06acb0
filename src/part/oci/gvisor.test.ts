import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasHostNetwork } from './gvisor.ts';

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
