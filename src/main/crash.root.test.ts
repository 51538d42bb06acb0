/**
 * The daemon killed at chosen instructions: right before and right after writes to the store, between which every lasting effect of a
 * pod's life lies. The next daemon knows what is there, answers the same calls made again, and leaves nothing.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { TestContext } from 'node:test';
import { message } from '../../test/support/cri-messages.ts';
import { busyboxImage } from '../../test/support/image.ts';
import { isKind } from '../base/errors.ts';
import { ContainerConfig, ContainerState, ImageSpec, Mount, NamespaceMode, PodSandboxConfig, PodSandboxState } from '../gen/cri.ts';
import type { UserNamespace } from '../gen/cri.ts';
import { run } from '../host/spawn.ts';
import type { CrashRequest } from './crash.fake.ts';
import { EngineBed, liveOnePod, skipEngine } from './engine-bed.fake.ts';

const skip = skipEngine;
const bed = skip === false ? await EngineBed.open(undefined, busyboxImage({ config: { Volumes: { '/fresh': {}, '/etc': {} } } })) : undefined!;
after(() => bed?.dispose());

interface Life {
  readonly pod: PodSandboxConfig;
  readonly containers: readonly ContainerConfig[];
}

/** A pod that makes every kind of effect: own network and cgroup, a process of its own, two containers, an image as a volume, the VOLUMEs of their image. */
function newLife(usernsOptions?: UserNamespace): Life {
  const namespaces = { pid: NamespaceMode.POD, usernsOptions };
  const imageVolume = message(Mount, { containerPath: '/image', readonly: true, image: message(ImageSpec, { image: bed.image }) });
  return {
    pod: bed.podConfig({ cgroupParent: '', namespaces }),
    containers: [bed.containerConfig({ namespaces, config: { mounts: [imageVolume] }, script: 'trap "exit 0" TERM; while true; do sleep 0.05; done' }), bed.containerConfig({ namespaces })],
  };
}

/** Lives it in a process of its own, up to the kill. Returns how many writes a whole life takes, when it was not killed. */
async function live({ pod, containers }: Life, kill: Pick<CrashRequest, 'at' | 'when'>): Promise<number | undefined> {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const request: CrashRequest = {
    ...kill,
    config: bed.config,
    pod: text(PodSandboxConfig.encode(pod).finish()),
    containers: containers.map((container) => text(ContainerConfig.encode(container).finish())),
  };
  const { code, stdout, stderr } = await run(process.execPath, [join(import.meta.dirname, 'crash.fake.ts'), JSON.stringify(request)], { deadlineMs: 60_000 });
  if (code === 137) return undefined;
  assert.equal(code, 0, stderr.toString());
  return Number(stdout.toString());
}

test('the daemon killed at any write to its store: the next one puts everything right', { skip, timeout: 240_000 }, async (t) => {
  // All of them take two minutes.
  await killedAtEvery(3, t, () => newLife());
});

test('the same for a pod with a user namespace', { skip, timeout: 240_000 }, async (t) => {
  await bed.start();
  const { handlers } = await bed.engine.node.status(false);
  if (handlers.find(({ name }) => name === '')?.features?.userNamespaces !== true) return t.skip('this OCI runtime cannot make idmapped mounts');
  const range = [{ containerId: 0, hostId: 200_000, length: 65_536 }];

  await killedAtEvery(4, t, () => newLife({ mode: NamespaceMode.POD, uids: range, gids: range }));
});

/** Every `step`th write, by turns before and after it. */
async function killedAtEvery(step: number, t: TestContext, makeLife: () => Life): Promise<void> {
  await bed.stop();
  const writes = await live(makeLife(), { at: 0, when: 'after' });
  assert.ok(writes !== undefined && writes > 20);

  for (let at = 1; at <= writes; at += step) {
    const when = (at / step) % 2 < 1 ? 'before' : 'after';
    const life = makeLife();
    assert.equal(await live(life, { at, when }), undefined, 'it was killed');

    await bed.start();

    const { pods, containers } = bed.engine;
    const [pod] = await pods.list(undefined);
    const found = await containers.list(undefined);
    t.diagnostic(`killed ${when} write ${at} of ${writes}: ${pod === undefined ? 'no pod' : nameOf(PodSandboxState, pod.state)}, ${found.map(({ state }) => nameOf(ContainerState, state)).join(' ') || 'no container'}`);
    for (const { id, state } of found) {
      const { status } = await containers.status(id, true);
      assert.ok(state !== ContainerState.CONTAINER_EXITED || status.reason !== 'Unknown', 'no exit code is lost');
      assert.ok(status.startedAt === 0n || status.createdAt <= status.startedAt);
    }
    // The caller's retry: what exists is found, what does not is made.
    if (pod?.state !== PodSandboxState.SANDBOX_NOTREADY) await liveOnePod(bed.engine, life).catch((error: unknown) => assert.ok(isKind(error, 'already-exists'), String(error)));
    await bed.removeAllPods();
    await bed.assertNothingLeft([...(pod === undefined ? [] : [pod.id]), ...found.map(({ id }) => id)]);
    await bed.stop();
  }
}

function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? String(value);
}
