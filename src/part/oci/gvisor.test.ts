import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasFlag, hasHostNetwork } from './gvisor.ts';

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

test('a flag that is on or off is told by its last mention', () => {
  const rows: [string[], boolean][] = [
    [[], false],
    [['--oci-seccomp'], true],
    [['-oci-seccomp=true'], true],
    [['--oci-seccomp', '--oci-seccomp=false'], false],
    [['--oci-seccompx'], false],
  ];

  for (const [flags, expected] of rows) assert.equal(hasFlag(flags, 'oci-seccomp'), expected, flags.join(' '));
});
