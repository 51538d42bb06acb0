import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LayerPhase, type Pull, type PullLayer } from '../../gen/admin.ts';
import { barLines, completed, finishedLine, summaryLine, totalLine } from './pull-lines.ts';

const { LAYER_WAITING: waiting, LAYER_DOWNLOADING: downloading, LAYER_UNPACKING: unpacking, LAYER_DONE: done, LAYER_HERE_ALREADY: here } = LayerPhase;

/** A layer of 100 MB unless told otherwise, whose digest begins with the letter. */
function layer(letter: string, phase: LayerPhase, fields: Partial<PullLayer> = {}): PullLayer {
  return { digest: `sha256:${letter.repeat(64)}`, phase, bytesWanted: 100_000_000n, bytesReceived: 0n, bytesPerSecond: 0n, host: 'r.example', ...fields };
}

const pull = (...layers: PullLayer[]): Pull => ({ image: 'web:1', startedAt: 1n, stage: 'layers', layers });
const wide = { columns: 100, rows: 20 };

test('each layer has a line that says where it is', () => {
  const lines = barLines(pull(
    layer('a', waiting), layer('b', downloading, { bytesReceived: 50_000_000n, bytesPerSecond: 10_000_000n }),
    layer('c', unpacking, { bytesReceived: 100_000_000n }), layer('d', done), layer('e', here),
  ), wide);

  assert.deepEqual(lines, [
    'aaaaaaaaaaaa  waiting  100 MB',
    'bbbbbbbbbbbb  [===============>              ]  50 MB of 100 MB  10 MB/s  5 s left',
    'cccccccccccc  unpacking  100 MB',
    'dddddddddddd  done  100 MB',
    'eeeeeeeeeeee  already here',
  ]);
});

/** Bytes received and a second, of a layer of 100 MB; and what its line must end with. */
const moments: readonly [bigint, bigint, string][] = [
  [0n, 0n, '[>                             ]  0 B of 100 MB'],
  [0n, 1000n, '0 B of 100 MB  1 kB/s  28 h left'],
  [1_000_000n, 100_000n, '1 MB of 100 MB  100 kB/s  16 m 30 s left'],
  [99_999_999n, 50_000_000n, '[=============================>]  100 MB of 100 MB  50 MB/s  1 s left'],
];

for (const [bytesReceived, bytesPerSecond, end] of moments) {
  test(`${bytesReceived} bytes at ${bytesPerSecond} a second are told as ${end.trim()}`, () => {
    const [line] = barLines(pull(layer('a', downloading, { bytesReceived, bytesPerSecond })), wide);

    assert.ok(line?.endsWith(end), line);
  });
}

test('in a narrower terminal the bar shrinks, goes, and then the time and the rate; no line is ever too wide', () => {
  const one = pull(layer('a', downloading, { bytesReceived: 50_000_000n, bytesPerSecond: 10_000_000n }));
  const at = (columns: number): string => barLines(one, { columns, rows: 20 })[0]!;

  assert.match(at(72), /^a{12}  \[={6}> {5}\]  50 MB/);
  assert.equal(at(60), 'aaaaaaaaaaaa  50 MB of 100 MB  10 MB/s  5 s left');
  assert.equal(at(42), 'aaaaaaaaaaaa  50 MB of 100 MB  10 MB/s');
  assert.equal(at(30), 'aaaaaaaaaaaa  50 MB of 100 MB');
  assert.equal(at(15), 'aaaaaaaaaaaa  5');
  for (let columns = 10; columns < 120; columns++) {
    for (const phase of [waiting, downloading, unpacking, done, here]) {
      const lines = barLines(pull(layer('a', phase, { bytesReceived: 999n, bytesPerSecond: 999_000n })), { columns, rows: 20 });
      for (const line of lines) assert.ok(line.length <= columns, `${columns}: ${line}`);
    }
  }
});

test('where there is no room for all layers, those under way are shown and the rest is counted', () => {
  const layers = [layer('a', done), layer('b', here), layer('c', downloading), layer('d', unpacking), layer('e', downloading), layer('f', waiting), layer('0', waiting)];

  const lines = barLines(pull(...layers), { columns: 100, rows: 3 });

  assert.deepEqual(lines.map((line) => line.slice(0, 12)), ['cccccccccccc', 'dddddddddddd', '2 waiting, 1']);
  assert.equal(lines[2], '2 waiting, 1 done, 1 already here');
});

test('a digest that is none does no harm to the terminal', () => {
  assert.deepEqual(barLines(pull(layer('\u001b', here)), wide), ['\\x1b\\x1b\\x1b  already here']);
});

test('the whole pull is a line: its stage, then its figures without what was here, then that it is being stored', () => {
  assert.equal(totalLine({ ...pull(), stage: 'resolve' }), 'resolve');
  assert.equal(totalLine(pull(layer('a', downloading, { bytesReceived: 1_000_000n, bytesPerSecond: 3_000_000n }), layer('b', downloading, { bytesPerSecond: 1_000_000n }), layer('c', here))), '1 MB of 200 MB  4 MB/s  50 s left');
  assert.equal(totalLine(pull(layer('a', waiting))), '0 B of 100 MB');
  assert.equal(totalLine(pull(layer('a', unpacking, { bytesReceived: 100_000_000n }))), 'unpacking and recording');
});

test('only what needs nothing more has a line of its own', () => {
  assert.deepEqual([waiting, downloading, unpacking, done, here].map((phase) => finishedLine(layer('a', phase))), [
    undefined, undefined, undefined, 'layer aaaaaaaaaaaa done, 100 MB', 'layer aaaaaaaaaaaa already here',
  ]);
});

test('a pull that succeeded is summed up, whatever its last snapshot was', () => {
  const whole = completed(pull(layer('a', waiting), layer('b', unpacking), layer('c', here)));

  assert.deepEqual(whole.layers.map(({ phase }) => phase), [done, done, here]);
  assert.equal(summaryLine(whole, 12_345), '2 layers with 200 MB in 12 s, 1 already here');
  assert.equal(summaryLine(pull(layer('a', done)), 900), '1 layer with 100 MB in 0.90 s');
});
