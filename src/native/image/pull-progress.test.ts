import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { Digest } from '../../base/digest.ts';
import { LayerPhase } from '../../gen/admin.ts';
import { downloadBlob } from '../../part/registry/download-blob.ts';
import type { BlobSource } from '../../part/registry/download-blob.ts';
import { usualPatience } from '../../part/registry/pace.ts';
import type { LogFields, Logger } from '../../base/log.ts';
import type { ImageLayer } from './fetch-layers.ts';
import { countedBy, LayerTransfer } from './layer-transfer.ts';
import { logPull } from './log-pull.ts';
import { PullProgress, PullsInFlight } from './pull-progress.ts';

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}` as Digest;

function layer(letter: string, size: number): ImageLayer {
  return { blob: { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digest(letter), size }, diffId: digest(letter.toUpperCase()) };
}

/** What a snapshot says of each layer: the letter of its digest, its phase, bytes received of those wanted. */
function told(progress: PullProgress): string[] {
  const phases = Object.entries(LayerPhase);
  return progress.snapshot().layers.map((one) => {
    const phase = phases.find(([, value]) => value === one.phase)![0].replace('LAYER_', '').toLowerCase();
    return `${one.digest[7]} ${phase} ${one.bytesReceived}/${one.bytesWanted}`;
  });
}

test('a layer goes from waiting to done, and one that was here is never fetched', () => {
  const [a, b] = [layer('a', 100), layer('b', 50)];
  const progress = new PullProgress('web:1');
  const transfer = new LayerTransfer(a.blob);
  progress.enter('layers');
  progress.layersAre([a, b], ({ diffId }) => diffId === b.diffId);
  assert.deepEqual(told(progress), ['a waiting 0/100', 'b here_already 0/50']);

  progress.follow(a.diffId, transfer);
  assert.deepEqual(told(progress)[0], 'a waiting 0/100');
  transfer.opened('mirror.example');
  transfer.arrived(60);
  assert.deepEqual(told(progress)[0], 'a downloading 60/100');
  transfer.arrived(40);
  assert.deepEqual(told(progress)[0], 'a unpacking 100/100');
  transfer.ended();
  assert.deepEqual(told(progress)[0], 'a done 100/100');

  const { image, stage, startedAt, layers } = progress.snapshot();
  assert.deepEqual([image, stage, layers[0]?.host, layers[0]?.bytesPerSecond], ['web:1', 'layers', 'mirror.example', 0n]);
  assert.ok(Math.abs(Number(startedAt / 1_000_000n) - Date.now()) < 5000);
  assert.deepEqual(progress.figures(), { bytes: 100, ofBytes: 100, layersFetched: 1, layersHere: 1, layers: 2 });
});

test('a layer that another pull stored meanwhile counts as here already', () => {
  const a = layer('a', 100);
  const progress = new PullProgress('web:1');
  const transfer = new LayerTransfer(a.blob);
  progress.layersAre([a], () => false);
  progress.follow(a.diffId, transfer);

  transfer.ended();

  assert.deepEqual(told(progress), ['a here_already 0/100']);
  assert.deepEqual(progress.figures(), { bytes: 0, ofBytes: 0, layersFetched: 0, layersHere: 1, layers: 1 });
});

test('a second attempt at a layer takes the place of the first', () => {
  const a = layer('a', 100);
  const progress = new PullProgress('web:1');
  const [first, second] = [new LayerTransfer(a.blob), new LayerTransfer(a.blob)];
  progress.layersAre([a], () => false);
  progress.follow(a.diffId, first);
  first.opened('liar.example');
  first.arrived(100);

  progress.follow(a.diffId, second);

  assert.deepEqual(told(progress), ['a waiting 0/100']);
});

test('two pulls that wait for one download have the same figures of it', async () => {
  const a = layer('a', 100);
  const inFlight = new PullsInFlight();
  const transfer = new LayerTransfer(a.blob);

  await inFlight.during('one:1', (one) => inFlight.during('two:2', (two) => inFlight.transferring('key', transfer, async () => {
    for (const progress of [one, two]) {
      progress.layersAre([a], () => false);
      progress.follow(a.diffId, inFlight.transfer('key'));
    }
    transfer.opened('r.example');
    transfer.arrived(30);
    assert.deepEqual([...told(one), ...told(two)], ['a downloading 30/100', 'a downloading 30/100']);
    assert.deepEqual(inFlight.snapshots().map(({ image }) => image), ['one:1', 'two:2']);
  })));

  assert.deepEqual([inFlight.snapshots(), inFlight.transfer('key')], [[], undefined]);
});

test('a pull and a download that fail are forgotten, and the layer is not done', async () => {
  const inFlight = new PullsInFlight();
  const transfer = new LayerTransfer(layer('a', 100).blob);
  transfer.opened('r.example');

  await assert.rejects(inFlight.during('one:1', () => inFlight.transferring('key', transfer, async () => {
    throw new Error('broke');
  })), { message: 'broke' });

  assert.deepEqual([inFlight.snapshots(), inFlight.transfer('key'), transfer.phase], [[], undefined, LayerPhase.LAYER_DOWNLOADING]);
});

test('each byte of a download that broke off is counted once', async () => {
  const { blob } = layer('a', 10);
  const transfer = new LayerTransfer(blob);
  const hosts = ['one.example', 'two.example'];
  const source: BlobSource = {
    host: 'registry', patience: usualPatience,
    // The first host breaks off after four bytes; the second begins again at the front, as servers without ranges do.
    openBlob: async () => {
      const host = hosts.shift()!;
      return { host, offset: 0, body: Readable.from([Buffer.alloc(host === 'one.example' ? 4 : 10)]) as never };
    },
  };

  const chunks = await Readable.from(downloadBlob(countedBy(transfer, source), blob, new AbortController().signal)).toArray() as Buffer[];

  assert.equal(Buffer.concat(chunks).length, 10);
  assert.deepEqual([transfer.received, transfer.snapshot().host, transfer.phase], [10, 'two.example', LayerPhase.LAYER_UNPACKING]);
});

function recorder(lines: [string, LogFields][]): Logger {
  const log: Logger = { debug() {}, info: (message, fields = {}) => void lines.push([message, fields]), warn() {}, error() {}, with: () => log };
  return log;
}

test('the log says that a pull begins, how far a slow one is, and what it took', async () => {
  const lines: [string, LogFields][] = [];
  const a = layer('a', 100);
  const progress = new PullProgress('web:1');
  const transfer = new LayerTransfer(a.blob);
  progress.layersAre([a, layer('b', 5)], ({ diffId }) => diffId !== a.diffId);
  progress.follow(a.diffId, transfer);

  const result = await logPull(recorder(lines), progress, async () => {
    transfer.opened('r.example');
    transfer.arrived(50);
    while (lines.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    transfer.arrived(50);
    transfer.ended();
    return 'id';
  }, 20);

  assert.equal(result, 'id');
  const [begins, goesOn, done] = [lines[0]!, lines[1]!, lines.at(-1)!];
  assert.deepEqual(begins, ['pull begins', { image: 'web:1' }]);
  assert.deepEqual(goesOn, ['pull goes on', { image: 'web:1', bytes: 50, ofBytes: 100, layersFetched: 0, layersHere: 1, layers: 2, bytesPerSecond: 2500 }]);
  const { seconds, bytesPerSecond, ...figures } = done[1];
  assert.deepEqual([done[0], figures], ['pull is done', { image: 'web:1', bytes: 100, ofBytes: 100, layersFetched: 1, layersHere: 1, layers: 2 }]);
  assert.ok(Number(seconds) > 0 && Number(bytesPerSecond) > 0);
});

test('a pull that fails says how far it came, and its error is left alone', async () => {
  const lines: [string, LogFields][] = [];

  await assert.rejects(logPull(recorder(lines), new PullProgress('web:1'), async () => {
    throw new Error('no such image');
  }), { message: 'no such image' });

  assert.deepEqual(lines.map(([message, { layers }]) => [message, layers]), [['pull begins', undefined], ['pull failed', 0]]);
});
