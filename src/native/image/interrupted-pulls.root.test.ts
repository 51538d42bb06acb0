/** Pulls that end badly on our side: the daemon killed at every stage, the disk full. The store is whole, nothing is left, the next pull works. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { makeImage } from '../../../test/support/image.ts';
import type { TestEntry } from '../../../test/support/image.ts';
import { startFaultyRegistry } from '../../../test/support/registry.ts';
import type { Fault, FaultyRegistry } from '../../../test/support/registry.ts';
import { hasCode } from '../../base/errors.ts';
import { silentLogger } from '../../base/log.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { ImageSpec } from '../../gen/cri.ts';
import { Stages } from '../../base/stages.ts';
import { libc, MNT_DETACH } from '../../host/libc.ts';
import { spawn } from '../../host/spawn.ts';
import { openStore } from '../../part/store/store.ts';
import { createImageEngine } from './image-engine.ts';
import type { NativeImageEngine } from './image-engine.ts';
import type { CountedStep, PullCrashRequest } from './pull-crash.fake.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const image = makeImage({ layers: [[{ path: 'a', content: 'first' }], [{ path: 'b', content: Buffer.alloc(600_000, 'b') }]], compression: 'none' });
const [config, , layer] = image.blobs;

async function pullWith(engine: NativeImageEngine, registry: FaultyRegistry): Promise<string> {
  return await engine.pull(
    { image: spec(`${registry.host}/app:v1`), auth: undefined, podConfig: undefined },
    call(),
  );
}

function spec(name: string): ImageSpec {
  return { image: name, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' };
}

function call(): CallContext {
  return { id: 'test', signal: new AbortController().signal, stages: new Stages(), log: silentLogger };
}

/** The next daemon over what a pull left: all is whole or gone, the pull works, and of the removal nothing stays. */
async function assertRecovers(root: string, registry: FaultyRegistry): Promise<void> {
  const store = openStore(join(root, 'gantry.db'));
  const engine = createImageEngine({ root, store, log: silentLogger, usedBy: () => [], containerFilesystems: async () => [], registryFiles: { hostRules: () => ({ schemes: ['http'] }) } });
  try {
    await engine.recover();
    assert.deepEqual([readdirSync(join(root, 'staging')), store.ledger.rows()], [[], []]);
    for (const { id } of await engine.list(undefined)) assert.equal(engine.resolve(id).layers.length, 2, 'an image is whole or unknown');

    const id = await pullWith(engine, registry);
    assert.equal(readFileSync(join(engine.resolve(id).layers[0]!, 'b'), 'utf8').length, 600_000);

    await engine.remove(spec(id), call());
    assert.deepEqual(['staging', 'layers', 'content'].map((folder) => readdirSync(join(root, folder))), [[], [], []]);
  } finally {
    await engine.close();
    store.close();
  }
}

interface Pulling {
  kill(): void;
  /** What it counted; undefined when it was killed. */
  readonly ended: Promise<Record<CountedStep, number> | undefined>;
}

function startPull(request: PullCrashRequest): Pulling {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'pull-crash.fake.ts'), JSON.stringify(request)], { stdio: ['null', 'pipe-out', 'null'] });
  const awake = setInterval(() => {}, 1000);
  const ended = Promise.all([child.exited, text(child.streams[1]!)]).finally(() => clearInterval(awake)).then(([{ code }, output]) => {
    if (code === 137) return undefined;
    assert.equal(code, 0, 'the pull went wrong by itself');
    return JSON.parse(output) as Record<CountedStep, number>;
  });
  return { kill: () => child.kill('SIGKILL'), ended };
}

/** A root that lies on a small disk is its mount. */
async function releaseMount(root: string): Promise<void> {
  await libc.umount2Aside(root, MNT_DETACH).catch((error: unknown) => assert.ok(hasCode(error, 'EINVAL'), String(error)));
}

function newRoot(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'gantry-interrupted-'));
  t.after(async () => {
    await releaseMount(root);
    rmSync(root, { recursive: true, force: true });
  });
  return root;
}

test('killed while it waits for the registry: for the manifest, the configuration, a layer, the rest of a layer', { skip, timeout: 120_000 }, async (t) => {
  const half = layer!.bytes.subarray(0, 300_000);
  const stages: readonly [part: string, answer: Buffer | undefined][] = [['/manifests/v1', undefined], [config!.digest, undefined], [layer!.digest, undefined], [layer!.digest, half]];
  for (const [part, answer] of stages) {
    const root = newRoot(t);
    const reached = Promise.withResolvers<void>();
    let stuck = true;
    const fault: Fault = (request, response) => {
      if (!stuck || !request.url.includes(part)) return false;
      if (answer !== undefined) response.writeHead(200, { 'content-length': layer!.bytes.length }).write(answer);
      reached.resolve();
      return true;
    };
    const registry = await startFaultyRegistry({ 'app:v1': image }, fault);
    t.after(() => registry.stop());
    const pull = startPull({ root, image: `${registry.host}/app:v1` });
    await reached.promise;
    if (answer !== undefined) while (!readdirSync(join(root, 'staging'), { recursive: true }).some((name) => String(name).endsWith('/b'))) await sleep(5);

    pull.kill();
    assert.equal(await pull.ended, undefined);
    stuck = false;

    await assertRecovers(root, registry);
  }
});

test('killed right before and after what it writes: to the store, and by putting layers and documents in place', { skip, timeout: 120_000 }, async (t) => {
  const registry = await startFaultyRegistry({ 'app:v1': image });
  t.after(() => registry.stop());
  const request = { image: `${registry.host}/app:v1` };
  const steps = await startPull({ ...request, root: newRoot(t) }).ended;
  assert.ok(steps !== undefined && steps.rename === 4 && steps.write >= 7, JSON.stringify(steps));

  for (const step of ['rename', 'write'] as const) {
    // All of them take too long: each begins a process.
    for (let at = 1; at <= steps[step]; at += step === 'rename' ? 1 : 3) {
      const root = newRoot(t);
      const when = at % 2 === 0 ? 'before' : 'after';
      assert.equal(await startPull({ ...request, root, kill: { step, at, when } }).ended, undefined, `killed ${when} ${step} ${at}`);
      await assertRecovers(root, registry);
    }
  }
});

for (const [what, entries, options] of [
  ['bytes', [{ path: 'big', content: Buffer.alloc(3 << 20, 'x') }], 'size=2m'],
  ['inodes', Array.from({ length: 300 }, (_, n): TestEntry => ({ path: `f${n}` })), 'size=8m,nr_inodes=100'],
] as const) {
  test(`no ${what} left on the disk in the middle of a pull: it says so, gives back what it took, and works once there is room`, { skip }, async (t) => {
    const root = newRoot(t);
    libc.mount('tmpfs', root, 'tmpfs', 0, options);
    const [large, small] = [makeImage({ layers: [[{ path: 'a' }], entries], compression: 'gzip' }), makeImage({ layers: [[{ path: 'b', content: Buffer.alloc(600_000, 'b') }]] })];
    const registry = await startFaultyRegistry({ 'app:v1': large });
    const next = await startFaultyRegistry({ 'app:v1': small });
    const store = openStore(join(root, 'gantry.db'));
    const engine = createImageEngine({ root, store, log: silentLogger, usedBy: () => [], containerFilesystems: async () => [], registryFiles: { hostRules: () => ({ schemes: ['http'] }) } });
    t.after(async () => {
      await engine.close();
      store.close();
      await Promise.all([registry.stop(), next.stop()]);
    });

    await assert.rejects(pullWith(engine, registry), (error: Error & { kind?: string }) => {
      assert.match(error.message, /^pull image .*\/app:v1: .*unpack entry "(big|f\d+)": ENOSPC: no space left on device/);
      assert.equal(error.kind, 'resource-exhausted');
      return true;
    });

    assert.deepEqual([readdirSync(join(root, 'staging')), store.ledger.rows(), await engine.list(undefined)], [[], [], []]);
    assert.equal(engine.resolve(await pullWith(engine, next)).layers.length, 1);
    writeFileSync(join(root, 'proof'), 'there is room');
  });
}
