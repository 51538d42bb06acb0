/** Faults at named points of the shipped daemon: a choice of what `npm run fault` does in full (docs/faults.md). */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { faultPoints } from '../../src/base/fault-points.ts';
import { matchesStars } from '../../src/base/star-pattern.ts';
import { allTargets, liveAndDie, tracePoints } from '../fault/crash-matrix.ts';
import { everyDelay, everyError, liveWith } from '../fault/erring-life.ts';
import { measureHang, whyNoDeadMount } from '../fault/hang.ts';
import { offersUserNamespaces } from '../fault/life.ts';
import { randomFrom, seedOfRun } from '../fault/random.ts';
import { startWorkload } from '../support/workload.ts';

const node = await startWorkload();
after(() => node.stop());
const passed = await tracePoints(node);
const seed = seedOfRun();

/** Half a minute; all of them take ten. */
const kills = 9;

/** What does not depend on the OCI runtime is tested with one of them. */
const otherRuntime = process.env.RUNTIME === 'runc' ? 'the same with every OCI runtime: tested with crun' : false;

test('a whole life passes every fault point there is, and no other', async () => {
  const points = [...new Set([...passed.values()].flat())];
  const withUserNamespace = await offersUserNamespaces(node);

  assert.deepEqual(points.filter((point) => !faultPoints.some((known) => matchesStars(known, point))), [], 'points that src/base/fault-points.ts does not name');
  const rotten = faultPoints.filter((known) => !points.some((point) => matchesStars(known, point)));
  assert.deepEqual(rotten.filter((point) => withUserNamespace || !point.endsWith('/idmapped-layers')), [], 'points that nothing passes');
});

test('killed at points that chance chooses: the next daemon has lost nothing, owns all that is there, and the call made again succeeds', { timeout: 240_000 }, async (t) => {
  t.diagnostic(`SEED=${seed}`);
  const random = randomFrom(seed);
  const targets = allTargets(passed);
  const calls = [...new Set(targets.map(({ call }) => call))];
  while (calls.length > kills) calls.splice(random.below(calls.length), 1);

  const { killedAt, leaks, lost, failedRetries } = await liveAndDie(node, calls.map((call) => random.pick(targets.filter((target) => target.call === call))), random);

  t.diagnostic(killedAt.join('; '));
  assert.ok(killedAt.length > 0);
  assert.deepEqual({ leaks, lost, failedRetries }, { leaks: [], lost: [], failedRetries: [] });
});

test('an error before and after each point: every call says what happened, leaves nothing, and succeeds when it is made again', { skip: otherRuntime, timeout: 240_000 }, async () => {
  const { injected, unclean, lost, leaks } = await liveWith(node, everyError(passed));

  assert.deepEqual({ unclean, lost, leaks }, { unclean: [], lost: [], leaks: [] });
  assert.ok(injected > 100, `only ${injected} errors were met`);
});

test('a delay at every point changes nothing', { skip: otherRuntime, timeout: 240_000 }, async () => {
  const { failedCalls, lost, leaks } = await liveWith(node, everyDelay);

  assert.deepEqual({ failedCalls, lost, leaks }, { failedCalls: 0, lost: [], leaks: [] });
});

test('one OCI runtime, one network plugin and one file system hang: the calls of all other pods take as long as before', { skip: otherRuntime || whyNoDeadMount() || false, timeout: 240_000 }, async (t) => {
  const { before, during, fenced, unread } = await measureHang(20);

  for (const [kind, ms] of Object.entries(before)) {
    t.diagnostic(`${kind}: p99 ${ms.toFixed(1)} ms before, ${during[kind]!.toFixed(1)} ms during`);
    assert.ok(during[kind]! < 3 * ms + 1000, `${kind} took ${during[kind]} ms during the hang, ${ms} ms before`); // a hang that is waited for takes at least 10 s
  }
  assert.match(fenced, /^Error: 4 DEADLINE_EXCEEDED: .*\/dead\/data: its file system did not answer within 10 s$|^$/);
  assert.match(unread, /^Error: (4 DEADLINE_EXCEEDED|14 UNAVAILABLE): .*read registries file .*: its file system did not answer /);
});
