import { test } from 'node:test';
import assert from 'node:assert/strict';
import { describeCutLimits, parseHardLimits, rlimitsWithin } from './ulimits.ts';

const unlimited = 18_446_744_073_709_551_615n;

test('hard limits are read from their lines', () => {
  const limits =
    'Limit                     Soft Limit           Hard Limit           Units     \nMax core file size        0                    unlimited            bytes     \nMax open files            1024                 524288               files     \nMax nice priority         0                    0                    \n';

  const { nofile, core, nice } = parseHardLimits(limits);

  assert.deepEqual({ nofile, core, nice }, { nofile: 524_288n, core: unlimited, nice: 0n });
});

test('a limit is not above the hard one of the daemon, and the log tells', () => {
  const wanted = [{ name: 'nofile', soft: 1024, hard: 9000 }, { name: 'core', soft: -1, hard: -1 }, { name: 'memlock', soft: 5, hard: -1 }];
  const own = { nofile: 2000n, memlock: 4n, core: unlimited };

  assert.deepEqual(rlimitsWithin(wanted, own), [
    { type: 'RLIMIT_NOFILE', soft: 1024n, hard: 2000n },
    { type: 'RLIMIT_CORE', soft: unlimited, hard: unlimited },
    { type: 'RLIMIT_MEMLOCK', soft: 4n, hard: 4n },
  ]);
  assert.deepEqual(describeCutLimits(wanted, own), [
    'containers get nofile=2000 at most, not 9000 as container.default_ulimits says: that is the hard limit of gantry itself',
    'containers get memlock=4 at most, not unlimited as container.default_ulimits says: that is the hard limit of gantry itself',
  ]);
});

test('open files are limited also where nobody says how', () => {
  assert.deepEqual(rlimitsWithin([{ name: 'core', soft: 0, hard: 0 }], { nofile: 20_000n }), [
    { type: 'RLIMIT_NOFILE', soft: 20_000n, hard: 20_000n },
    { type: 'RLIMIT_CORE', soft: 0n, hard: 0n },
  ]);
});
