/**
 * A worker thread that unpacks layers, one at a time: bytes in, sha256, inflate, sha256, untar. It leaves the process's
 * shared filesystem state (unshare CLONE_FS) and changes its own root to each layer's staging directory, so that no name and no
 * symlink in a tar can lead out. Only this thread is confined; the daemon's other threads see the whole filesystem.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { failure, GantryError, kindOf, messageOf } from '../../base/errors.ts';
import { CLONE_FS, libc } from '../../host/libc.ts';
import { BlobRecorder } from './blob-recorder.ts';
import { inflate } from './inflate.ts';
import { LayerTwin } from './layer-twin.ts';
import { TarOutliner } from './tar-outline.ts';
import { TarReader } from './tar-reader.ts';
import { TreeWriter } from './tree-writer.ts';
import { checkInflation } from './unpack-limits.ts';
import type { ExpectedContent, FromWorker, ToWorker, UnpackResult } from './unpack-protocol.ts';

type Begin = Extract<ToWorker, { type: 'begin' }>;

const port = requirePort();
const inbox: ToWorker[] = [];
let wake: (() => void) | undefined;

port.on('message', (message: ToWorker) => {
  inbox.push(message);
  wake?.();
});

function requirePort(): NonNullable<typeof parentPort> {
  if (parentPort === null) throw new Error('unpack-worker.ts runs as a worker thread only');
  return parentPort;
}

async function serve(message: ToWorker): Promise<void> {
  try {
    if (message.type === 'begin') send({ type: 'unpacked', result: await unpack(message) });
  } catch (error) {
    send({ type: 'failed', kind: kindOf(error), why: error instanceof GantryError ? error.message : messageOf(error) });
  }
}

async function unpack(job: Begin): Promise<UnpackResult> {
  // A relative path on purpose. The working directory of this thread stays outside of every root that it takes on, so the way to
  // the next staging directory starts there; an absolute one would start inside the layer before.
  libc.chroot(job.directory);
  const twin = job.twin === undefined ? undefined : new LayerTwin(job.twin);
  const tree = new TreeWriter(job.limits, twin);
  const outliner = new TarOutliner(tree, job.outline);
  const tar = new TarReader(outliner);
  const blob = new Measured('sha256');
  const content = new Measured('sha256');

  await inflate(receiveBlob(blob, new BlobRecorder(job.recording)), (bytes) => {
    content.update(bytes);
    checkInflation(job.limits, content.length + tree.padding, blob.length);
    outliner.beginPiece(bytes);
    tar.push(bytes);
    outliner.endPiece();
  });
  verifyBlob(job.expected, blob);
  tar.finish();
  verifyContent(job.expected, content);
  outliner.finish();
  twin?.close();
  return { ...tree.finish(), tarBytes: content.length };
}

class Measured {
  readonly #hash: Hash;
  length = 0;

  constructor(algorithm: string) {
    this.#hash = createHash(algorithm);
  }

  update(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.length += bytes.length;
  }

  digest(): string {
    return `sha256:${this.#hash.digest('hex')}`;
  }
}

/** The blob's bytes as they arrive; each buffer goes back to the main thread once it is used up. */
async function* receiveBlob(measured: Measured, recorder: BlobRecorder): AsyncGenerator<Buffer> {
  for (let message = await receive(); message.type === 'chunk'; message = await receive()) {
    const bytes = Buffer.from(message.buffer, 0, message.length);
    const recorded = recorder.record(bytes, measured.length);
    measured.update(bytes);
    yield bytes;
    await recorded;
    port.postMessage({ type: 'buffer', buffer: message.buffer } satisfies FromWorker, [message.buffer]);
  }
}

async function receive(): Promise<ToWorker> {
  for (;;) {
    const message = inbox.shift();
    if (message !== undefined) return message;
    await new Promise<void>((resolve) => (wake = resolve));
  }
}

function send(message: FromWorker): void {
  port.postMessage(message);
}

function verifyBlob(expected: ExpectedContent, blob: Measured): void {
  if (expected === 'anything') return;
  if (blob.length !== expected.size) {
    throw failure('unavailable', { act: 'verify blob', object: expected.blob, why: `the manifest says ${expected.size} bytes, the registry sent ${blob.length}` });
  }
  const actual = blob.digest();
  if (actual !== expected.blob) throw failure('unavailable', { act: 'verify blob', object: expected.blob, why: `what the registry sent has the digest ${actual}` });
}

function verifyContent(expected: ExpectedContent, content: Measured): void {
  if (expected === 'anything') return;
  const actual = content.digest();
  if (actual !== expected.diffId) throw failure('failed-precondition', { act: 'verify layer', object: expected.diffId, why: `the unpacked layer has the diff id ${actual}: the image is inconsistent` });
}

libc.unshare(CLONE_FS);
for (;;) await serve(await receive());
