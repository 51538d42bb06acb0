/** `gantry image …` against a daemon in memory: what is sent, what is written, and what is left when something fails. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { sendUnaryData, ServerReadableStream, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { fileOf, tarStream, type TarFile } from '../../base/tar-stream.ts';
import { AdminService, AdoptionOutcome } from '../../gen/admin.ts';
import type { AdoptedImage, AdoptImagesRequest, LoadImagesRequest, SaveImagesRequest, SaveImagesResponse, TagImageRequest, UntagImageRequest, UntagImageResponse } from '../../gen/admin.ts';
import { runCliCommand } from './commands.ts';
import { runCommand } from './runtime.fake.ts';

const digest = 'a'.repeat(64);

interface Daemon {
  readonly socket: string;
  readonly folder: string;
  /** What came in, as text. */
  readonly calls: string[];
  readonly loaded: Buffer[];
  saved: TarFile[];
  /** Ends a save midway with this. */
  failsWith: string | undefined;
}

async function startDaemon(t: TestContext): Promise<Daemon> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'gantry-image-cli-'));
  const daemon: Daemon = { socket: path.join(folder, 's'), folder, calls: [], loaded: [], saved: [fileOf('oci-layout', Buffer.from('{}')), fileOf(`blobs/sha256/${digest}`, Buffer.alloc(700_001, 'x'))], failsWith: undefined };
  const server = new Server();
  server.addService(AdminService as never, {
    async loadImages(call: ServerReadableStream<LoadImagesRequest, unknown>, respond: sendUnaryData<unknown>) {
      const pieces: Buffer[] = [];
      let name = '';
      for await (const message of call as AsyncIterable<LoadImagesRequest>) {
        pieces.push(message.data as Buffer);
        name ||= message.name;
      }
      daemon.loaded.push(Buffer.concat(pieces));
      if (pieces.length === 0) return respond({ code: status.FAILED_PRECONDITION, details: 'load image archive: it is no image archive' });
      respond(null, { images: [{ id: 'sha256:one', names: name === '' ? ['a:1', 'b:1'] : [name] }, { id: 'sha256:two', names: [] }] });
    },
    async saveImages(call: ServerWritableStream<SaveImagesRequest, SaveImagesResponse>) {
      daemon.calls.push(`save ${call.request.images.join(' ')} ${call.request.format}`);
      for await (const data of tarStream(daemon.saved)) call.write({ data });
      if (daemon.failsWith === undefined) call.end();
      else call.emit('error', { code: status.FAILED_PRECONDITION, details: daemon.failsWith });
    },
    adoptImages(call: ServerWritableStream<AdoptImagesRequest, AdoptedImage>) {
      const { from, root, namespace, dryRun } = call.request;
      daemon.calls.push(`adopt ${from} ${root} ${namespace} ${dryRun}`);
      const image = { id: 'sha256:one', names: ['web@sha256:1', 'web:1'], outcome: AdoptionOutcome.ADOPTION_DONE, why: '', layers: 3, newLayers: 2, bytes: 5000n, linkedBytes: 4000n, total: 5 };
      const nothing = { newLayers: 0, bytes: 0n, linkedBytes: 0n };
      call.write(dryRun ? { ...image, outcome: AdoptionOutcome.ADOPTION_PLANNED } : image);
      call.write({ ...image, ...nothing, outcome: AdoptionOutcome.ADOPTION_HERE_ALREADY });
      call.write({ ...image, ...nothing, names: [], outcome: AdoptionOutcome.ADOPTION_SKIPPED, why: 'it has no name' });
      if (root !== '') call.write({ ...image, ...nothing, outcome: AdoptionOutcome.ADOPTION_REFUSED, why: 'it is damaged' });
      call.end();
    },
    tagImage({ request }: ServerUnaryCall<TagImageRequest, unknown>, respond: sendUnaryData<unknown>) {
      daemon.calls.push(`tag ${request.image} ${request.target}`);
      respond(null, {});
    },
    untagImage({ request }: ServerUnaryCall<UntagImageRequest, UntagImageResponse>, respond: sendUnaryData<UntagImageResponse>) {
      if (request.image === 'absent') return respond({ code: status.NOT_FOUND, details: 'it is not on this node' });
      respond(null, { id: 'sha256:one', removed: request.image === 'last:1', names: [request.image] });
    },
  } as never);
  await new Promise<void>((resolve, reject) => server.bindAsync(`unix:${daemon.socket}`, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())));
  t.after(async () => {
    server.forceShutdown();
    await rm(folder, { recursive: true });
  });
  return daemon;
}

test('the group and its commands explain themselves', async () => {
  const group = await runCommand('/nowhere', ['image', '--help']);
  const names = [...group.out.matchAll(/^ {2}image (\w+) /gm)].map(([, name]) => name!);

  assert.deepEqual(names, ['ls', 'inspect', 'load', 'import', 'save', 'export', 'adopt', 'tag', 'rm']);
  for (const name of names) {
    const { code, out } = await runCommand('/nowhere', ['image', name, '--help']);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^Usage: gantry image ${name} [^]*Examples?:\\n {2}(gantry image ${name}|docker save)`));
  }
});

test('a wrong command line is told before the daemon is asked', async () => {
  const wrong = async (...words: string[]): Promise<string> => {
    const { code, err } = await runCommand('/nowhere', ['image', ...words]);
    assert.equal(code, 2);
    return err;
  };

  assert.equal(await wrong(), 'gantry image: one of ls, inspect, load, import, save, export, adopt, tag, rm is missing, see gantry image --help\n');
  assert.equal(await wrong('lod'), 'gantry image: unknown command lod: did you mean load?, see gantry image --help\n');
  assert.match(await wrong('save'), /^gantry image save: IMAGE is missing/);
  assert.match(await wrong('save', '--format', 'zip', 'web:1'), /--format is one of docker-archive, oci-archive, oci-dir, not "zip"/);
  assert.match(await wrong('export', '--format', 'oci-dir', 'web:1'), /--format oci-dir wants a directory: --output PATH/);
  assert.match(await wrong('tag', 'web:1'), /NAME is missing/);
});

test('a file that cannot be read or written is named, with what was to be done', async (t) => {
  const { socket, folder, calls } = await startDaemon(t);

  const absent = await runCommand(socket, ['image', 'load', path.join(folder, 'absent.tar')]);
  assert.equal(absent.err, `gantry image load: read image archive ${folder}/absent.tar: ENOENT: no such file or directory, stat '${folder}/absent.tar'\n`);
  assert.deepEqual([absent.code, calls], [1, []]);
  const nowhere = await runCommand(socket, ['image', 'save', '-o', path.join(folder, 'none/a.tar'), 'web:1']);
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.err, /^gantry image save: write image archive .*none\/a\.tar: ENOENT/);
});

test('archives are loaded from files, stdin and layout directories', async (t) => {
  const { socket, folder, loaded } = await startDaemon(t);
  const file = path.join(folder, 'a.tar');
  await writeFile(file, Buffer.alloc(600_000, 'z'));
  const layout = path.join(folder, 'layout');
  await mkdir(path.join(layout, 'blobs/sha256'), { recursive: true });
  for (const name of ['oci-layout', 'index.json', `blobs/sha256/${digest}`, 'blobs/sha256/left.over']) await writeFile(path.join(layout, name), name);

  assert.deepEqual(await runCommand(socket, ['image', 'load', file]), { code: 0, out: 'a:1\nb:1\nsha256:two\n', err: '' });
  assert.equal((await runCommand(socket, ['image', 'import', '--name', 'mine:1'], { stdin: 'bytes' })).out, 'mine:1\nsha256:two\n');
  assert.equal((await runCommand(socket, ['image', 'load', layout, '-'], { stdin: 'more' })).code, 0);

  assert.equal(loaded[0]!.length, 600_000);
  assert.equal(String(loaded[1]), 'bytes');
  assert.equal(execFileSync('tar', ['-tf', '-'], { input: loaded[2]!, encoding: 'utf8' }), `oci-layout\nindex.json\nblobs/sha256/${digest}\n`);
  assert.equal(String(loaded[3]), 'more');
  assert.match((await runCommand(socket, ['image', 'load', path.join(folder, 'absent')])).err, /ENOENT/);
  assert.match((await runCommand(socket, ['image', 'load', folder])).err, /is no OCI image layout: it has no blobs\/sha256|this directory is no OCI image layout/);
  assert.equal((await runCommand(socket, ['image', 'load'])).err, 'gantry image load: load image from stdin: it is no image archive\n');
});

test('adopted images are told one by one, then in sum, and one that was refused fails the command', async (t) => {
  const { socket, calls } = await startDaemon(t);

  assert.deepEqual(await runCommand(socket, ['image', 'adopt']), {
    code: 0, err: '',
    out: [
      'adopted       web:1  2 of 3 layers new, 5 kB, 4 kB of it shared',
      'here already  web:1',
      'skipped       sha256:one  it has no name',
      '1 adopted (5 kB, 4 kB of it shared), 1 here already, 1 skipped, 0 refused',
      '',
    ].join('\n'),
  });
  const refused = await runCommand(socket, ['image', 'adopt', '--from', 'containerd', '--root', '/mnt/c', '--namespace', 'moby', '--dry-run']);
  assert.equal(refused.code, 1);
  assert.match(refused.out, /^would adopt   web:1  2 of 3 layers new\n[^]*\nrefused       web:1  it is damaged\n1 would be adopted, 1 here already, 1 skipped, 1 refused\n$/);
  const json = await runCommand(socket, ['image', 'adopt', '-o', 'json']);
  assert.deepEqual((JSON.parse(json.out) as { images: { outcome: string; bytes: string }[] }).images.map(({ outcome, bytes }) => [outcome, bytes])[0], ['ADOPTION_DONE', '5000']);
  assert.deepEqual(calls, ['adopt docker   false', 'adopt containerd /mnt/c moby true', 'adopt docker   false']);
  assert.match((await runCommand(socket, ['image', 'adopt', '--from', 'podman'])).err, /--from is one of docker, containerd, not "podman"/);
});

test('an archive is saved to stdout, to a file, and as a layout directory', async (t) => {
  const daemon = await startDaemon(t);
  const { socket, folder, calls } = daemon;
  const file = path.join(folder, 'out.tar');
  const layout = path.join(folder, 'layout');

  const { code, out } = await runCommand(socket, ['image', 'save', 'web:1', 'db:1']);
  assert.deepEqual([code, out.length], [0, 3 * 512 + 700_416 + 1024]);
  assert.equal((await runCommand(socket, ['image', 'export', '-o', file, 'web:1'])).code, 0);
  assert.equal((await readFile(file, 'latin1')), out);
  assert.deepEqual(await runCommand(socket, ['image', 'save', '--format', 'oci-dir', '-o', layout, 'web:1']), { code: 0, out: '', err: '' });

  assert.equal(await readFile(path.join(layout, 'oci-layout'), 'utf8'), '{}');
  assert.equal((await readFile(path.join(layout, 'blobs/sha256', digest))).length, 700_001);
  assert.deepEqual(calls, ['save web:1 db:1 docker-archive', 'save web:1 oci-archive', 'save web:1 oci-archive']);
  assert.match((await runCommand(socket, ['image', 'export', '--format', 'oci-dir', '-o', layout, 'web:1'])).err, /the directory is not empty: name one that is, or a new one/);
});

test('a save that fails midway leaves what was there', async (t) => {
  const daemon = await startDaemon(t);
  const { socket, folder } = daemon;
  const file = path.join(folder, 'out.tar');
  const empty = path.join(folder, 'empty');
  await writeFile(file, 'old');
  await mkdir(empty);
  daemon.failsWith = 'rebuild layer sha256:x: changed';

  assert.deepEqual(await runCommand(socket, ['image', 'save', '-o', file, 'web:1']), { code: 1, out: '', err: 'gantry image save: save image web:1: rebuild layer sha256:x: changed\n' });
  for (const directory of [empty, path.join(folder, 'new')]) assert.equal((await runCommand(socket, ['image', 'export', '--format', 'oci-dir', '-o', directory, 'web:1'])).code, 1);
  daemon.failsWith = undefined;
  daemon.saved = [fileOf('../../outside', Buffer.from('x'))];
  assert.match((await runCommand(socket, ['image', 'export', '--format', 'oci-dir', '-o', empty, 'web:1'])).err, /the daemon sent what is no part of one/);

  assert.equal(await readFile(file, 'utf8'), 'old');
  assert.deepEqual([(await readdir(folder)).sort(), await readdir(empty)], [['empty', 'out.tar', 's'], []]);
});

test('an archive is not poured over a terminal', async () => {
  const stderr = new PassThrough();
  const code = await runCliCommand(['image', 'save', 'web:1'], { stdout: new PassThrough(), stderr, stdin: new PassThrough(), env: {}, stdoutIsTerminal: true, stderrIsTerminal: false, signal: new AbortController().signal, version: '1' });

  assert.equal(code, 2);
  assert.match(String(stderr.read()), /an archive is nothing for a terminal: name a file with --output, or use a pipe/);
});

test('names are given and taken', async (t) => {
  const { socket, calls } = await startDaemon(t);

  assert.deepEqual(await runCommand(socket, ['image', 'tag', 'web:1', 'web:stable']), { code: 0, out: '', err: '' });
  assert.deepEqual(await runCommand(socket, ['image', 'rm', 'web:1', 'absent', 'last:1']), {
    code: 1, out: 'untagged web:1\nuntagged last:1\nremoved sha256:one\n', err: 'gantry image rm: remove image absent: it is not on this node\n',
  });

  assert.deepEqual(calls, ['tag web:1 web:stable']);
});
