/** Changing calls whose caller goes away: the same call again succeeds, and what it was to change is so. Kills midway are the crash matrix's (test/fault). */
import assert from 'node:assert/strict';
import { existsSync, renameSync } from 'node:fs';
import { after, test } from 'node:test';
import type { CallContext, Engine } from '../engine/engine.ts';
import { ImageSpec, LinuxContainerResources } from '../gen/cri.ts';
import { message } from '../../test/support/cri-messages.ts';
import { call, EngineBed, skipEngine } from './engine-bed.fake.ts';

const skip = skipEngine;
const bed = skip === false ? await EngineBed.open() : undefined!;
after(() => bed?.dispose());

interface Row {
  readonly name: string;
  make(engine: Engine, ctx: CallContext): Promise<unknown>;
  /** Throws unless what the call is for has come about. */
  holds(engine: Engine): Promise<void>;
}

const resources = message(LinuxContainerResources, { cpuShares: 100n });

function rows({ podId, containerId, logPath }: { podId: string; containerId: string; logPath: string }): Row[] {
  const image = message(ImageSpec, { image: bed.image });
  return [
    {
      name: 'UpdateContainerResources',
      make: (engine, ctx) => engine.containers.updateResources(containerId, { linux: resources, annotations: {} }, ctx),
      holds: async (engine) => assert.equal((await engine.containers.status(containerId, false)).status.resources?.linux?.cpuShares, 100n),
    },
    {
      name: 'UpdatePodSandboxResources',
      make: (engine, ctx) => engine.pods.updateResources(podId, { overhead: undefined, resources }, ctx),
      holds: async (engine) => assert.match(JSON.stringify((await engine.pods.status(podId, true)).info, undefined, 0), /cpuShares|cpu_shares|"shares/),
    },
    {
      name: 'ReopenContainerLog',
      make: async (engine, ctx) => {
        if (!existsSync(`${logPath}.1`)) renameSync(logPath, `${logPath}.1`);
        await engine.containers.reopenLog(containerId, ctx);
      },
      holds: async () => assert.ok(existsSync(logPath)),
    },
    {
      name: 'RemoveImage',
      make: async (engine, ctx) => {
        await engine.pods.stop(podId, call());
        await engine.pods.remove(podId, call());
        await engine.images.remove(image, ctx);
      },
      holds: async (engine) => assert.deepEqual(await engine.images.list(undefined), []),
    },
  ];
}

test('called by somebody who goes away, and once more by the next, with a restart between', { skip }, async () => {
  const { id: podId } = await bed.runPod();
  const containerId = await bed.runContainer(podId);
  const { logPath } = (await bed.engine.containers.status(containerId, false)).status;

  for (const { name, make, holds } of rows({ podId, containerId, logPath })) {
    const caller = new AbortController();
    const left = make(bed.engine, call(caller.signal)).catch((error: unknown) => error);
    caller.abort();
    await left;
    await bed.stop();
    await bed.start();

    for (let time = 0; time < 2; time++) await make(bed.engine, call()).catch((error: unknown) => assert.fail(`${name}: ${String(error)}`));

    await holds(bed.engine);
  }
  assert.deepEqual(bed.ledger(), []);
  await bed.assertNothingLeft([podId, containerId]);
});
