/**
 * Calls about two pods and their containers in an order that a seed decides, several at once, some given up by their caller midway: no
 * call fails for a reason that is not its own, the same calls made again bring everything about, and nothing is left.
 * `SEED=… node --test src/main/interleavings.root.test.ts` repeats a run.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { kindOf } from '../base/errors.ts';
import type { ErrorKind } from '../base/errors.ts';
import type { CallContext } from '../engine/engine.ts';
import { ContainerState, NamespaceMode, PodSandboxState } from '../gen/cri.ts';
import type { ContainerConfig, PodSandboxConfig } from '../gen/cri.ts';
import { call, EngineBed, skipEngine } from './engine-bed.fake.ts';

const skip = skipEngine;
const bed = skip === false ? await EngineBed.open() : undefined!;
after(() => bed?.dispose());

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const rounds = 4;
const callersPerRound = 4;
const callsPerCaller = 9;

const acts = ['run pod', 'create', 'start', 'stop', 'remove', 'stop pod', 'remove pod'] as const;

/** One call of the sequence. */
interface Step {
  readonly act: (typeof acts)[number];
  /** Which of the two pods, and which of its two containers. */
  readonly pod: number;
  readonly container: number;
  /** How long the caller waits before it gives up; undefined: to the end. */
  readonly patienceMs: number | undefined;
}

const step: fc.Arbitrary<Step> = fc.record({
  // A life gets further when it is made more often than it is ended.
  act: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom('run pod', 'create', 'start') },
    { weight: 3, arbitrary: fc.constantFrom('stop', 'remove') },
    { weight: 1, arbitrary: fc.constantFrom('stop pod', 'remove pod') },
  ),
  pod: fc.nat(1),
  container: fc.nat(1),
  patienceMs: fc.option(fc.nat(150), { nil: undefined, freq: 2 }),
}) as fc.Arbitrary<Step>;

/** What may come of a call that another one got ahead of, or whose caller went away. Never `internal`, `unavailable` or `deadline-exceeded`. */
const acceptable: ReadonlySet<ErrorKind> = new Set(['not-found', 'failed-precondition', 'already-exists', 'cancelled']);

/** What the calls of one round are about. */
interface Cast {
  readonly pods: readonly PodSandboxConfig[];
  readonly containers: readonly ContainerConfig[];
}

function newCast(): Cast {
  const [own, shared] = [NamespaceMode.CONTAINER, NamespaceMode.POD].map((pid) => ({ pid }));
  return {
    pods: [bed.podConfig({ namespaces: own! }), bed.podConfig({ namespaces: shared! })],
    containers: [bed.containerConfig({ script: 'trap "exit 7" TERM; while true; do sleep 0.05; done' }), bed.containerConfig({ script: 'exit 3' })],
  };
}

async function idOfPod(cast: Cast, pod: number): Promise<string> {
  const all = await bed.engine.pods.list(undefined);
  return all.find(({ metadata }) => metadata?.uid === cast.pods[pod]!.metadata?.uid)?.id ?? 'a'.repeat(64);
}

async function idOfContainer(cast: Cast, { pod, container }: Step): Promise<string> {
  const podId = await idOfPod(cast, pod);
  const all = await bed.engine.containers.list(undefined);
  const ofPod = all.filter(({ podSandboxId }) => podSandboxId === podId);
  return (ofPod[container] ?? ofPod[0])?.id ?? 'b'.repeat(64);
}

/** A container has the namespaces of its pod, which the kubelet says with each of them. */
function configFor(cast: Cast, { pod, container }: Step): ContainerConfig {
  const config = cast.containers[container]!;
  const namespaceOptions = cast.pods[pod]!.linux?.securityContext?.namespaceOptions;
  return { ...config, linux: { ...config.linux!, securityContext: { ...config.linux!.securityContext!, namespaceOptions } } };
}

async function make(cast: Cast, one: Step, ctx: CallContext): Promise<void> {
  const { pods, containers } = bed.engine;
  const making = {
    'run pod': () => pods.run({ config: cast.pods[one.pod]!, runtimeHandler: '' }, ctx),
    'stop pod': async () => pods.stop(await idOfPod(cast, one.pod), ctx),
    'remove pod': async () => pods.remove(await idOfPod(cast, one.pod), ctx),
    'create': async () => containers.create({ podId: await idOfPod(cast, one.pod), config: configFor(cast, one), podConfig: undefined }, ctx),
    'start': async () => containers.start(await idOfContainer(cast, one), ctx),
    'stop': async () => containers.stop(await idOfContainer(cast, one), 1, ctx),
    'remove': async () => containers.remove(await idOfContainer(cast, one), ctx),
  };
  await making[one.act]();
}

/** Makes the call. Returns what came of it. */
async function play(cast: Cast, one: Step): Promise<string> {
  const signal = one.patienceMs === undefined ? undefined : AbortSignal.timeout(one.patienceMs);
  try {
    await make(cast, one, call(signal));
    return 'ok';
  } catch (error) {
    assert.ok(acceptable.has(kindOf(error)), `${one.act} failed with ${kindOf(error)}: ${String(error)}`);
    return kindOf(error);
  }
}

/** A kubelet that has seen nothing of it makes both pods with both containers, by calls that it simply repeats: no name may be in its way. */
async function bringAbout(cast: Cast): Promise<void> {
  for (const [index, config] of cast.pods.entries()) {
    const podId = await bed.engine.pods.run({ config, runtimeHandler: '' }, call());
    assert.equal((await bed.engine.pods.status(podId, false)).status.state, PodSandboxState.SANDBOX_READY);
    for (const container of [0, 1]) {
      const config = configFor(cast, { act: 'create', pod: index, container, patienceMs: undefined });
      // What has been started has the name; the kubelet takes the next attempt then.
      const metadata = { ...config.metadata!, attempt: 1 };
      const request = { podId, config: { ...config, metadata }, podConfig: undefined };
      const id = await bed.engine.containers.create(request, call());
      assert.equal(await bed.engine.containers.create(request, call()), id);
      await bed.engine.containers.start(id, call());
      const { state } = (await bed.engine.containers.status(id, false)).status;
      assert.ok(state === ContainerState.CONTAINER_RUNNING || state === ContainerState.CONTAINER_EXITED, `it is in state ${state}`);
    }
  }
}

/** Everything is removed twice, by two callers at once: each is told that it is gone. */
async function takeAway(cast: Cast): Promise<string[]> {
  const ids = (await bed.engine.pods.list(undefined)).filter(({ metadata }) => cast.pods.some((config) => config.metadata?.uid === metadata?.uid)).map(({ id }) => id);
  await Promise.all([...ids, ...ids].map((id) => bed.engine.pods.stop(id, call())));
  await Promise.all([...ids, ...ids].map((id) => bed.engine.pods.remove(id, call())));
  return ids;
}

test('calls in any order, at once and given up midway, leave nothing half made, nothing in the way, and nothing behind', { skip }, async (t) => {
  t.diagnostic(`SEED=${seed}`);
  const outcomes = new Map<string, number>();
  const caller = fc.array(step, { minLength: callsPerCaller, maxLength: callsPerCaller });
  const sequences = fc.sample(fc.array(caller, { minLength: callersPerRound, maxLength: callersPerRound }), { seed, numRuns: rounds });
  const playAll = async (cast: Cast, steps: readonly Step[]): Promise<void> => {
    for (const one of steps) {
      const what = `${one.act} ${await play(cast, one)}`;
      outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
    }
  };

  await Promise.all(sequences.map(async (callers) => {
    const cast = newCast();
    await Promise.all(cast.pods.map((config) => bed.engine.pods.run({ config, runtimeHandler: '' }, call())));
    await Promise.all([0, 1].map((pod) => make(cast, { act: 'create', pod, container: 0, patienceMs: undefined }, call())));
    await Promise.all(callers.map((steps) => playAll(cast, steps)));
    await bringAbout(cast);
    await takeAway(cast);
  }));

  t.diagnostic([...outcomes].sort().map(([what, times]) => `${what} × ${times}`).join(', '));
  assert.deepEqual(await bed.engine.pods.list(undefined), []);
  assert.deepEqual(await bed.engine.containers.list(undefined), []);
  assert.deepEqual(bed.ledger(), [], 'no effect is on record any more');
  await bed.assertNothingLeft();
});

test('a start of a container that runs is the answer of the one that started it, also after a restart; one that has ended is refused', { skip }, async () => {
  const pod = await bed.runPod();
  const running = await bed.runContainer(pod.id);
  const startedAt = (await bed.engine.containers.status(running, false)).status.startedAt;
  const ended = await bed.runContainer(pod.id);
  await bed.engine.containers.stop(ended, 0, call());

  await Promise.all([bed.engine.containers.start(running, call()), bed.engine.containers.start(running, call())]);
  await bed.stop();
  await bed.start();
  await bed.engine.containers.start(running, call());

  assert.equal((await bed.engine.containers.status(running, false)).status.startedAt, startedAt);
  await assert.rejects(bed.engine.containers.start(ended, call()), { kind: 'failed-precondition', message: /it is exited, and only a created one can be started/ });
  await takeAway({ pods: [pod.config], containers: [] });
});

test('a caller that goes away while a pod or container is made gets the finished one by the same call', { skip }, async () => {
  const config = bed.podConfig();
  const gone = call(AbortSignal.timeout(1));

  const [cut, again] = await Promise.all([bed.engine.pods.run({ config, runtimeHandler: '' }, gone).catch(kindOf), bed.engine.pods.run({ config, runtimeHandler: '' }, call())]);
  const request = { podId: again, config: bed.containerConfig(), podConfig: undefined };
  const [cutContainer, container] = await Promise.all([bed.engine.containers.create(request, gone).catch(kindOf), bed.engine.containers.create(request, call())]);

  assert.ok(cut === again || cut === 'cancelled', cut);
  assert.ok(cutContainer === container || cutContainer === 'cancelled', cutContainer);
  assert.deepEqual((await bed.engine.pods.list(undefined)).map(({ id }) => id), [again]);
  assert.deepEqual((await bed.engine.containers.list(undefined)).map(({ id }) => id), [container]);
  await takeAway({ pods: [config], containers: [] });
});
