import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { parseDigest } from '../../base/digest.ts';
import { BlobRecorder } from './blob-recorder.ts';
import { PartialBlobs } from './partial-blobs.ts';
import type { ExpectedLayer } from './unpack-protocol.ts';

const layer = (digit: string, size = 100 << 20): ExpectedLayer => ({ blob: parseDigest(`sha256:${digit.repeat(64)}`), size, diffId: parseDigest(`sha256:${'f'.repeat(64)}`) });
const fileOf = ({ blob }: ExpectedLayer): string => blob.slice('sha256:'.length);

function makePartials(t: TestContext): { partials: PartialBlobs; directory: string } {
  const root = mkdtempSync(join(tmpdir(), 'gantry-partial-'));
  t.after(() => rmSync(root, { recursive: true }));
  return { partials: new PartialBlobs(root), directory: join(root, 'partial') };
}

test('one at a time has a large blob, and a small one is kept by nobody', (t) => {
  const { partials, directory } = makePartials(t);

  const first = partials.claim(layer('a'));
  const second = partials.claim(layer('a'));
  const small = partials.claim(layer('b', 1 << 20));
  first?.keep();
  const third = partials.claim(layer('a'));

  assert.ok(first !== undefined && third !== undefined);
  assert.deepEqual([second, small], [undefined, undefined]);
  third.discard();
  assert.deepEqual(readdirSync(directory), []);
});

test('what was kept is read again, but not what is longer than the blob', async (t) => {
  const { partials, directory } = makePartials(t);
  writeFileSync(join(directory, fileOf(layer('a'))), 'beginning');
  writeFileSync(join(directory, fileOf(layer('b'))), Buffer.alloc(9 << 20));

  const [whole, tooLong] = [partials.claim(layer('a'))!, partials.claim(layer('b', 8 << 20))!];
  const read = Buffer.concat(await Readable.from(whole.read(whole.length)).toArray());

  assert.deepEqual([read.toString(), tooLong.length], ['beginning', 0]);
  assert.deepEqual(partials.all().map(({ bytes }) => bytes).toSorted(), [0, 9]);
  whole.keep();
  tooLong.keep();
  assert.deepEqual(readdirSync(directory), [fileOf(layer('a'))], 'an empty one is of no use');
});

test('the sweep takes what nobody came back for within a day, then the oldest beyond 16 GiB, and nothing in use', (t) => {
  const { partials, directory } = makePartials(t);
  const now = Date.now();
  const leave = (digit: string, gibibytes: number, hoursAgo: number): void => {
    const file = join(directory, digit.repeat(64));
    writeFileSync(file, '');
    truncateSync(file, gibibytes * 2 ** 30);
    utimesSync(file, now / 1000 - hoursAgo * 3600, now / 1000 - hoursAgo * 3600);
  };
  leave('a', 6, 1);
  leave('b', 6, 2);
  leave('c', 6, 3);
  leave('d', 0, 25);
  leave('e', 0, 25);
  writeFileSync(join(directory, 'not a digest'), '');
  const inUse = partials.claim(layer('e'))!;

  partials.sweep(now);

  assert.deepEqual(partials.all().map(({ digest }) => digest.slice(-1)).toSorted(), ['a', 'b', 'e']);
  inUse.discard();
});

test('a recorder writes what the file does not have yet, wherever the pieces are cut', async (t) => {
  const { partials } = makePartials(t);
  const blob = partials.claim(layer('a'))!;
  writeFileSync(blob.fd, 'abcd');

  const recorder = new BlobRecorder({ fd: blob.fd, from: 4 });
  await Promise.all([recorder.record(Buffer.from('abc'), 0), recorder.record(Buffer.from('XefX').subarray(0, 3), 3), recorder.record(Buffer.from('gh'), 6)]);

  assert.equal(Buffer.concat(await Readable.from(blob.read(99)).toArray()).toString(), 'abcdefgh');
  blob.discard();
});

test('a full disk ends the recording and nothing else', async () => {
  const full = openSync('/dev/full', 'w');
  const recorder = new BlobRecorder({ fd: full, from: 0 });

  await recorder.record(Buffer.from('a'), 0);
  closeSync(full);

  await assert.doesNotReject(recorder.record(Buffer.from('b'), 1));
});
