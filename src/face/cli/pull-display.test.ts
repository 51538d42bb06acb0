import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { failure } from '../../base/errors.ts';
import { LayerPhase, type Pull, type PullLayer, type WatchPullsResponse } from '../../gen/admin.ts';
import type { CriClient } from './client.ts';
import type { CliIo } from './io.ts';
import { displayPull } from './pull-display.ts';

function layer(letter: string, phase: LayerPhase, bytesReceived: bigint): PullLayer {
  return { digest: `sha256:${letter.repeat(64)}`, phase, bytesWanted: 1_000_000n, bytesReceived, bytesPerSecond: 0n, host: 'r.example' };
}

const pull = (...layers: PullLayer[]): Pull => ({ image: 'web:1', startedAt: 1n, stage: 'layers', layers });
const snapshots = [
  pull(layer('a', LayerPhase.LAYER_HERE_ALREADY, 0n), layer('b', LayerPhase.LAYER_WAITING, 0n), layer('c', LayerPhase.LAYER_DOWNLOADING, 5n)),
  pull(layer('a', LayerPhase.LAYER_HERE_ALREADY, 0n), layer('b', LayerPhase.LAYER_DOWNLOADING, 400_000n), layer('c', LayerPhase.LAYER_DONE, 1_000_000n)),
];

interface Shown {
  readonly written: string;
  readonly result: string;
}

/** Shows a pull that ends once these snapshots were seen and drawn; `fail` is what the watch throws then. */
async function shown(of: { pulls: readonly Pull[]; fail?: Error; env?: Record<string, string>; isTerminal?: boolean; work?: () => Promise<string> }): Promise<Shown> {
  const { promise: seen, resolve: tell } = Promise.withResolvers<void>();
  const stream = async function* (_method: unknown, request: { image: string }, { signal }: { signal: AbortSignal }): AsyncGenerator<WatchPullsResponse> {
    assert.equal(request.image, 'web:1');
    yield { pulls: [] };
    for (const one of of.pulls) yield { pulls: [one] };
    tell();
    if (of.fail !== undefined) throw of.fail;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    throw failure('cancelled', { act: 'watch pull' });
  };
  const stderr = Object.assign(new PassThrough(), { columns: 80, rows: 24 });
  const io = { stderr, stderrIsTerminal: of.isTerminal ?? false, env: of.env ?? {} } as unknown as CliIo;
  const untilDrawn = async (): Promise<string> => {
    await seen;
    await new Promise((resolve) => setTimeout(resolve, 150));
    return 'sha256:id';
  };
  const result = await displayPull({ io, cri: { stream } as unknown as CriClient, image: 'web:1' }, of.work ?? untilDrawn).catch((error: Error) => error.message);
  return { written: String(stderr.read() ?? ''), result };
}

for (const [where, env, isTerminal] of [['without a terminal', {}, false], ['on a dumb terminal', { TERM: 'dumb' }, true], ['without colours', { NO_COLOR: '1' }, true]] as const) {
  test(`${where} each layer has a line when it is finished, once`, async () => {
    const { written, result } = await shown({ pulls: snapshots, env, isTerminal });

    assert.equal(result, 'sha256:id');
    const lines = written.replace(/in [\d.]+ s/, 'in N s').split('\n');
    assert.deepEqual(lines, [
      'web:1: layer aaaaaaaaaaaa already here', 'web:1: layer cccccccccccc done, 1 MB', 'web:1: layer bbbbbbbbbbbb done, 1 MB',
      'web:1: 2 layers with 2 MB in N s, 1 already here', '',
    ]);
  });
}

test('a terminal shows bars that are drawn over, and the summary stays', async () => {
  const { written } = await shown({ pulls: snapshots, isTerminal: true });

  assert.match(written, /pull web:1 {2}400 kB of 2 MB|pull web:1 {2}1\.4 MB of 2 MB/);
  assert.match(written, /bbbbbbbbbbbb {2}\[=+> +\] {2}400 kB of 1 MB/);
  assert.match(written, /\u001b\[4A/);
  assert.match(written, /\u001b\[Jweb:1: 2 layers with 2 MB in [\d.]+ s, 1 already here\n\r\u001b\[J$/);
});

test('of a runtime that tells nothing a terminal shows the time only, and elsewhere there is silence', async () => {
  const fail = failure('unimplemented', { act: 'watch pull' });

  assert.match((await shown({ pulls: [], fail, isTerminal: true })).written, /pull web:1 {2}0\.\d\d s\n/);
  assert.deepEqual(await shown({ pulls: [], fail }), { written: '', result: 'sha256:id' });
});

test('a pull that fails leaves no line, and its own error', async () => {
  const work = async (): Promise<string> => {
    throw new Error('no such image');
  };

  assert.deepEqual(await shown({ pulls: [], work }), { written: '', result: 'no such image' });
  assert.match((await shown({ pulls: [], work, isTerminal: true })).written, /\r\u001b\[1A\u001b\[J$/);
});
