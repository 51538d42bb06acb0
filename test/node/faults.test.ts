/** Faults at named points of the shipped daemon: a choice of what `npm run fault` does in full (docs/faults.md). */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { checkpointPoints, faultPoints } from '../../src/base/fault-points.ts';
import { matchesStars } from '../../src/base/star-pattern.ts';
import { allTargets, inTurn, liveAndDie, livesOf, tracePoints, type Target } from '../fault/crash-matrix.ts';
import { everyDelay, everyError, liveWith } from '../fault/erring-life.ts';
import { measureHang, whyNoDeadMount } from '../fault/hang.ts';
import { offersUserNamespaces } from '../fault/life.ts';
import { randomFrom, seedOfRun } from '../fault/random.ts';
import { restartUnderLoad } from '../fault/restarts.ts';
import { startWorkload } from '../support/workload.ts';

const node = await startWorkload();
after(() => node.stop());
const passed = await tracePoints(node);
const seed = seedOfRun();

/** Each hour is another turn of the crash matrix; the OCI runtimes take different lives in it. */
const turn = Number(process.env.SEED ?? Math.floor(Date.now() / 3_600_000));
const runtimes = ['crun', 'runc'];
/** For lives that begin. All of them take ten minutes. */
const matrixMs = 10_000;

/** What does not depend on the OCI runtime is tested with one of them. */
const otherRuntime = process.env.RUNTIME === 'runc' ? 'the same with every OCI runtime: tested with crun' : false;

test('a whole life passes every fault point there is, and no other', async () => {
  const points = [...new Set([...passed.values()].flat())];
  const withUserNamespace = await offersUserNamespaces(node);

  assert.deepEqual(points.filter((point) => !faultPoints.some((known) => matchesStars(known, point))), [], 'points that src/base/fault-points.ts does not name');
  const rotten = faultPoints.filter((known) => !points.some((point) => matchesStars(known, point)));
  assert.deepEqual(rotten.filter((point) => !checkpointPoints.includes(point) && (withUserNamespace || !point.endsWith('/idmapped-layers'))), [], 'points that nothing passes');
});

test('killed at the points whose turn it is: the next daemon has lost nothing, owns all that is there, and the call made again succeeds', { timeout: 240_000 }, async (t) => {
  t.diagnostic(`SEED=${turn}`);
  const [random, until] = [randomFrom(turn), Date.now() + matrixMs];
  const share = Math.max(0, runtimes.indexOf(process.env.RUNTIME ?? 'crun'));

  for (const kills of inTurn(livesOf(allTargets(passed)), { turn, share, shares: runtimes.length })) {
    const { killedAt, survived, killedStarting, leaks, lost, failedRetries } = await liveAndDie(node, kills, random);

    t.diagnostic(killedAt.join('; '));
    assert.ok(killedAt.length > 0);
    assert.deepEqual({ leaks, lost, failedRetries, survived }, { leaks: [], lost: [], failedRetries: [], survived: killedAt.length + killedStarting });
    if (Date.now() > until) break;
  }
});

test('in turns, each OCI runtime is killed at every point, and both together at all of them in half the time', () => {
  const lives = livesOf(allTargets(passed));
  const takenBy = (share: number): Target[][] => Array.from(lives, (_, after) => inTurn(lives, { turn: turn + after, share, shares: 2 })[0]!);
  const [first, second] = [takenBy(0), takenBy(1)];
  const half = Math.ceil(lives.length / 2);

  assert.equal(lives.flat().length, allTargets(passed).length);
  assert.ok(lives.every((life) => life.length > 0 && new Set(life.map(({ call }) => call)).size === life.length), 'a call is killed once in a life');
  for (const taken of [first, second, [...first.slice(0, half), ...second.slice(0, half)]]) assert.equal(new Set(taken).size, lives.length);
});

test('restart under load: no container dies, no exit code and no line of a log is lost, and the lists are true', { timeout: 240_000 }, async (t) => {
  const { returns, stuck, lost, died, exitCodes, logLines, untrue, leaks } = await restartUnderLoad(node, { pods: 4, containers: 8, restarts: 3, livesAtOnce: 1, random: randomFrom(seed), print: (line) => t.diagnostic(line) });

  assert.equal(returns.length, 3);
  assert.deepEqual({ stuck, lost, died, exitCodes, logLines, untrue, leaks }, { stuck: [], lost: [], died: [], exitCodes: [], logLines: [], untrue: [], leaks: [] });
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
  assert.match(fenced, /^Error: 4 DEADLINE_EXCEEDED: .*\/dead\/data: its file system did not answer within 10 s$/);
  assert.match(unread, /^Error: (4 DEADLINE_EXCEEDED|14 UNAVAILABLE): .*read registries file .*: its file system did not answer /);
});
