/** Images of a real dockerd and a real containerd become ours where they lie, while those run and when they do not. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, closeSync, cpSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { makeImage, tarOf } from '../../../test/support/image.ts';
import type { TestEntry, TestImage } from '../../../test/support/image.ts';
import { hasProgram, startContainerdStore, startDockerd } from '../../../test/support/other-runtimes.ts';
import type { OtherRuntime } from '../../../test/support/other-runtimes.ts';
import { silentLogger } from '../../base/log.ts';
import { Stages } from '../../base/stages.ts';
import type { CallContext, ImageSource } from '../../engine/engine.ts';
import { AdoptionOutcome } from '../../gen/admin.ts';
import type { AdoptedImage } from '../../gen/admin.ts';
import { openStore } from '../../part/store/store.ts';
import type { Store } from '../../part/store/store.ts';
import { createImageEngine } from './image-engine.ts';
import type { ImageEngineOptions, NativeImageEngine } from './image-engine.ts';

const missing = ['dockerd', 'docker', 'containerd', 'ctr'].filter((program) => !hasProgram(program));
const skip = process.getuid?.() !== 0 ? 'needs root' : missing.length > 0 ? `not installed: ${missing.join(', ')}` : false;

const { ADOPTION_DONE: done, ADOPTION_HERE_ALREADY: hereAlready, ADOPTION_PLANNED: planned, ADOPTION_REFUSED: refused, ADOPTION_SKIPPED: skipped } = AdoptionOutcome;

const large = 'large '.repeat(50_000);
const layers: TestEntry[][] = [
  [
    { path: 'etc/', type: 'directory', mode: 0o2775 },
    { path: 'etc/motd', content: large, mode: 0o640, uid: 7, gid: 8, mtime: 1234567890 },
    { path: 'etc/again', type: 'hardlink', link: 'etc/motd', mode: 0o640, uid: 7, gid: 8, mtime: 1234567890 },
    { path: `etc/${'long'.repeat(40)}`, content: 'a', pax: { mtime: '12.123456789' } },
    { path: 'etc/größe', content: 'b' },
    { path: 'fifo', type: 'fifo' },
    { path: 'link', type: 'symlink', link: 'etc' },
    { path: 'su', content: 'c', mode: 0o4755 },
    { path: 'noted', content: 'd', xattrs: { 'user.note': Buffer.from('x') } },
  ],
  [{ path: 'etc/.wh.motd' }, { path: 'var/.wh..wh..opq' }, { path: 'var/mine', content: 'e', uid: 1000 }],
];
const odd = makeImage({ layers, compression: 'none', config: { Cmd: ['odd'] } });
const small = makeImage({ layers: [layers[0]!, [{ path: 'more', content: large }]], compression: 'none', config: { Cmd: ['small'] } });
const foreign = makeImage({ layers: [[{ path: 'x', content: 'x' }]], compression: 'none', platform: { os: 'linux', architecture: 's390x' } });

let folder: string;
let docker: OtherRuntime;
let containerd: OtherRuntime;

const archived = { odd: ['registry.example/odd:1', 'odd:latest'], small: ['small:2'], foreign: ['foreign:1'] };
/** More than one page of containerd's database has. */
const manyNames = Array.from({ length: 120 }, (_, n) => `registry.example/${'deep/'.repeat(n % 7)}small:${n}`);
const oddNames = ['docker.io/library/odd:latest', 'registry.example/odd:1'];

before(async () => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'gantry-adopt-'));
  writeFileSync(join(folder, 'images.tar'), dockerArchive([[odd, archived.odd], [small, archived.small], [foreign, archived.foreign]]));
  writeFileSync(join(folder, 'named.tar'), dockerArchive([[odd, ['registry.example/odd:1', 'docker.io/library/odd:latest']], [small, manyNames]]));
  [docker, containerd] = await Promise.all([startDockerd(join(folder, 'd')), startContainerdStore(join(folder, 'c'))]);
  docker.client('load', '--quiet', '--input', join(folder, 'images.tar'));
  containerd.client('images', 'import', join(folder, 'named.tar'));
});

after(async () => {
  if (skip !== false) return;
  await Promise.all([docker?.stop(), containerd?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

test('images of a running Docker are adopted with their names, their files are shared, and a second time changes nothing', { skip }, async (t) => {
  const here = await makeEngine(t);

  const plan = await here.adopt({ root: docker.root, dryRun: true });
  assert.deepEqual([outcomesOf(plan), await here.engine.list(undefined), readdirSync(join(here.root, 'layers'))], [{ [odd.id]: planned, [small.id]: planned, [foreign.id]: skipped }, [], []]);
  const adopted = await here.adopt({ root: docker.root });
  const again = await here.adopt({ root: docker.root });

  assert.deepEqual(outcomesOf(adopted), { [odd.id]: done, [small.id]: done, [foreign.id]: skipped });
  assert.match(adopted.find(({ id }) => id === foreign.id)!.why, /the image is for linux\/s390x, this node is linux\/amd64/);
  assert.deepEqual(outcomesOf(again), { [odd.id]: hereAlready, [small.id]: hereAlready, [foreign.id]: skipped });
  assert.deepEqual((await here.tagsOf(odd)).sort(), oddNames);
  const [told] = adopted.filter(({ id }) => id === odd.id);
  assert.ok(told!.linkedBytes >= BigInt(large.length) && told!.linkedBytes <= told!.bytes, `${told!.linkedBytes} of ${told!.bytes}`);
  const shared = statSync(join(here.layersOf(odd).at(-1)!, 'etc/motd'));
  assert.deepEqual([shared.nlink, shared.mode & 0o7777, shared.uid, shared.gid], [4, 0o640, 7, 8]);
  assert.deepEqual([here.store.ledger.rows(), readdirSync(join(here.root, 'staging'))], [[], []]);
});

test('what was adopted is what a pull would have brought, and outlives the runtime that it came from', { skip }, async (t) => {
  const [adopted, loaded] = [await makeEngine(t), await makeEngine(t)];
  await adopted.adopt({ root: docker.root });
  await loaded.load(readFileSync(join(folder, 'named.tar')));
  const { shape } = adopted;
  docker.client('image', 'rm', '--force', 'odd:latest', 'registry.example/odd:1', 'small:2');
  t.after(() => docker.client('load', '--quiet', '--input', join(folder, 'images.tar')));

  assert.equal(shape(odd), loaded.shape(odd));
  assert.deepEqual(await adopted.save(odd), await loaded.save(odd));
  assert.equal(statSync(join(adopted.layersOf(odd).at(-1)!, 'etc/motd')).nlink, 2, 'only our own two names are left');
});

test('images of containerd are adopted with their names, and layers that Docker had already come once', { skip }, async (t) => {
  const here = await makeEngine(t);
  await here.adopt({ root: docker.root });
  await here.engine.untag(small.id);

  const adopted = await here.adopt({ from: 'containerd', root: containerd.root });
  const fresh = await makeEngine(t);
  const alone = await fresh.adopt({ from: 'containerd', root: containerd.root });

  assert.deepEqual(outcomesOf(adopted), { [odd.id]: hereAlready, [small.id]: done });
  assert.deepEqual(adopted.filter(({ id }) => id === small.id).map(({ layers: all, newLayers }) => [all, newLayers]), [[2, 1]]);
  assert.deepEqual(outcomesOf(alone), { [odd.id]: done, [small.id]: done });
  assert.deepEqual((await fresh.tagsOf(odd)).sort(), oddNames);
  assert.deepEqual((await fresh.tagsOf(small)).sort(), manyNames.toSorted());
  assert.ok(alone.every(({ linkedBytes, bytes }) => linkedBytes > 0n && linkedBytes <= bytes));
  assert.equal(fresh.shape(odd), here.shape(odd));
});

test('a tag that another image has here stays with it', { skip }, async (t) => {
  const here = await makeEngine(t);
  const other = makeImage({ layers: [[{ path: 'other', content: 'x' }]], compression: 'none' });
  await here.load(dockerArchive([[other, ['docker.io/library/odd:latest']]]));

  await here.adopt({ root: docker.root });

  assert.deepEqual([await here.tagsOf(other), await here.tagsOf(odd)], [['docker.io/library/odd:latest'], ['registry.example/odd:1']]);
});

test('what is damaged in the other store is told image by image, with nothing of it left here', { skip }, async (t) => {
  const copy = join(folder, 'damaged');
  const rows: { damage: (paths: { top: string; layer: string }) => void; why: RegExp }[] = [
    { damage: ({ layer }) => appendFileSync(join(layer, 'var/mine'), 'x'), why: /var\/mine": the layer's tar has 1 bytes of it, the file is of another size/ },
    { damage: ({ layer }) => rmSync(join(layer, 'var/mine')), why: /var\/mine": the layer had this file, and it is gone/ },
    { damage: ({ layer }) => writeFileSync(join(layer, 'var/mine'), 'f'), why: /has the digest sha256|has the diff id sha256/ },
    { damage: ({ layer }) => rmSync(layer, { recursive: true }), why: /the unpacked layer is gone/ },
    { damage: ({ top }) => rmSync(join(top, 'cache-id')), why: /it does not say where the layer is unpacked/ },
    { damage: ({ top }) => rmSync(join(top, 'diff')), why: /it has no layer sha256:/ },
    { damage: ({ top }) => writeFileSync(join(top, 'diff'), `sha256:${'0'.repeat(64)}`), why: /it is the layer sha256:0+, and should be sha256:/ },
    { damage: ({ top }) => rmSync(join(top, 'tar-split.json.gz')), why: /tar-split\.json\.gz: ENOENT/ },
    { damage: ({ top }) => writeFileSync(join(top, 'tar-split.json.gz'), 'x'), why: /tar-split\.json\.gz: (?:incorrect header check|unexpected end of file)/ },
    { damage: ({ top }) => writeFileSync(join(top, 'tar-split.json.gz'), gzipSync('{"type":9}\n')), why: /a line is not what Docker writes there: \{"type":9\}/ },
    { damage: () => writeFileSync(join(copy, 'image/overlay2/imagedb/content/sha256', odd.id.slice(7)), '{}'), why: /its content has the digest sha256:44136fa/ },
  ];
  for (const { damage, why } of rows) {
    copyDockerStore(docker.root, copy);
    const here = await makeEngine(t);
    damage(topLayerOf(copy, odd));

    const adopted = await here.adopt({ root: copy });

    assert.deepEqual(outcomesOf(adopted), { [odd.id]: refused, [small.id]: done, [foreign.id]: skipped }, String(why));
    assert.match(adopted.find(({ id }) => id === odd.id)!.why, why);
    assert.deepEqual([here.store.ledger.rows(), readdirSync(join(here.root, 'layers')).length], [[], 2]);
    rmSync(copy, { recursive: true });
  }
});

test('a store that cannot be read at all is told as what it is', { skip }, async (t) => {
  const here = await makeEngine(t);
  const empty = mkdtempSync(join(folder, 'empty-'));
  const otherDriver = mkdtempSync(join(folder, 'driver-'));
  mkdirSync(join(otherDriver, 'image/vfs'), { recursive: true });
  const halfWritten = join(folder, 'half');
  copyDockerStore(docker.root, halfWritten);
  writeFileSync(join(halfWritten, 'image/overlay2/repositories.json'), '{"Repositories":{');
  const noBolt = mkdtempSync(join(folder, 'bolt-'));
  mkdirSync(join(noBolt, 'io.containerd.metadata.v1.bolt'));
  writeFileSync(join(noBolt, 'io.containerd.metadata.v1.bolt/meta.db'), Buffer.alloc(70_000, 7));
  const rows: [Partial<ImageSource>, string, RegExp][] = [
    [{ root: empty }, 'not-found', /it has no image\/overlay2: name Docker's data root/],
    [{ root: otherDriver }, 'failed-precondition', /with the driver vfs, and only overlay2 is read: move them with docker save and gantry image load/],
    [{ root: halfWritten }, 'failed-precondition', /repositories\.json: /],
    [{ from: 'containerd', root: empty }, 'not-found', /meta\.db: it is not there/],
    [{ from: 'containerd', root: noBolt }, 'failed-precondition', /it is no bolt database/],
    [{ from: 'containerd', root: containerd.root, namespace: 'elsewhere' }, 'not-found', /it has no namespace "elsewhere"; it has k8s\.io/],
  ];
  for (const [source, kind, message] of rows) await assert.rejects(here.adopt(source), { kind, message });
});

test('a layer that containerd keeps only unpacked is refused, for nobody can tell whether it is still what it was', { skip }, async (t) => {
  const here = await makeEngine(t);
  const copy = join(folder, 'discarded');
  cpSync(containerd.root, copy, { recursive: true, verbatimSymlinks: true });
  rmSync(join(copy, 'io.containerd.content.v1.content/blobs/sha256', odd.diffIds[1]!.slice(7)));

  const adopted = await here.adopt({ from: 'containerd', root: copy });

  assert.deepEqual(adopted.map(({ outcome }) => outcome).sort(), [done, refused]);
  assert.match(adopted.find(({ outcome }) => outcome === refused)!.why, /has only unpacked this layer \(discard_unpacked_layers\).*: pull the image again/);
});

test('a file that somebody changed where containerd has it unpacked comes from the packed layer instead', { skip }, async (t) => {
  const [here, loaded] = [await makeEngine(t), await makeEngine(t)];
  await loaded.load(readFileSync(join(folder, 'named.tar')));
  const copy = join(folder, 'changed');
  execFileSync('cp', ['-a', containerd.root, copy]);
  const changes = [{ name: 'etc/motd', at: 0 }, { name: 'more', at: large.length - 1 }];
  for (const { name, at } of changes) {
    const found = execFileSync('find', [copy, '-type', 'f', '-path', `*/fs/${name}`], { encoding: 'utf8' }).trim();
    for (const file of found.split('\n')) changeUnnoticed(file, at);
  }

  const adopted = await here.adopt({ from: 'containerd', root: copy });

  assert.deepEqual(outcomesOf(adopted), { [odd.id]: done, [small.id]: done });
  assert.deepEqual([here.shape(odd), here.shape(small)], [loaded.shape(odd), loaded.shape(small)]);
});

test('a signature policy that trusts no other runtime of the node keeps its images out', { skip }, async (t) => {
  const path = join(folder, 'policy.json');
  writeFileSync(path, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }], transports: { 'docker-daemon': { '': [{ type: 'reject' }] } } }));
  const here = await makeEngine(t, { trustFiles: { policy: { path, optional: false }, signatureStores: join(folder, 'none') } });

  const adopted = await here.adopt({ root: docker.root });

  assert.deepEqual(outcomesOf(adopted), { [odd.id]: refused, [small.id]: refused, [foreign.id]: skipped });
  assert.match(adopted.find(({ id }) => id === odd.id)!.why, /the default of the docker-daemon transport/);
});

/** Of the same size and time as before. */
function changeUnnoticed(file: string, at: number): void {
  const { atime, mtime } = statSync(file);
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, '!', at);
  closeSync(descriptor);
  utimesSync(file, atime, mtime);
}

interface Bench {
  readonly root: string;
  readonly store: Store;
  readonly engine: NativeImageEngine;
  adopt(source: Partial<ImageSource>): Promise<AdoptedImage[]>;
  load(archive: Buffer): Promise<unknown>;
  save(image: TestImage): Promise<Buffer>;
  tagsOf(image: TestImage): Promise<string[]>;
  /** The topmost first. */
  layersOf(image: TestImage): readonly string[];
  /** All that can be seen of the layers, but for times that are those of the unpacking. */
  shape(image: TestImage): string;
}

async function makeEngine(t: TestContext, options: Partial<ImageEngineOptions> = {}): Promise<Bench> {
  const root = mkdtempSync(join(folder, 'g-'));
  const store = openStore(join(root, 'gantry.db'));
  const engine = createImageEngine({ root, store, log: silentLogger, usedBy: () => [], containerFilesystems: async () => [], platform: { os: 'linux', architecture: 'amd64' }, ...options });
  t.after(async () => {
    await engine.close();
    store.close();
    rmSync(root, { recursive: true, force: true });
  });
  await engine.recover();
  const layersOf = (image: TestImage): readonly string[] => engine.resolve(image.id).layers;
  return {
    root, store, engine, layersOf,
    adopt: async (source) => await collect(engine.adopt({ from: 'docker', root: '', namespace: 'k8s.io', dryRun: false, ...source }, context())),
    load: async (archive) => await engine.load((async function* () { yield archive; })(), {}, context()),
    save: async (image) => Buffer.concat(await collect(engine.save([image.id], 'docker-archive', context()))),
    tagsOf: async (image) => (await engine.list(undefined)).find(({ id }) => id === image.id)?.repoTags ?? [],
    shape: (image) => layersOf(image).map((layer) => execFileSync('sh', ['-c', 'find . -mindepth 1 \\( -type d -printf "%p d %m %U:%G\\n" \\) -o \\( -type c -printf "%p c\\n" \\) -o -printf "%p %y %m %U:%G %s %T@ %l\\n" | sort; find . -type f | sort | xargs -d "\\n" sha256sum'], { cwd: layer, encoding: 'utf8' })).join('--\n'),
  };
}

function context(): CallContext {
  return { id: 'test', signal: new AbortController().signal, stages: new Stages(), log: silentLogger };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function outcomesOf(images: readonly AdoptedImage[]): Record<string, AdoptionOutcome> {
  return Object.fromEntries(images.map(({ id, outcome }) => [id, outcome]));
}

/** As `docker save` wrote them before it wrote layouts. */
function dockerArchive(images: readonly (readonly [TestImage, readonly string[]])[]): Buffer {
  const files = new Map<string, Buffer>();
  const manifest = images.map(([{ blobs }, RepoTags]) => {
    for (const { digest, bytes } of blobs) files.set(`${digest.slice(7)}.blob`, bytes);
    const [Config, ...Layers] = blobs.map(({ digest }) => `${digest.slice(7)}.blob`);
    return { Config, RepoTags, Layers };
  });
  return tarOf([...[...files].map(([path, content]) => ({ path, content })), { path: 'manifest.json', content: JSON.stringify(manifest) }]);
}

/** The parts of Docker's data root that images are in, as they lie there. */
function copyDockerStore(from: string, to: string): void {
  execFileSync('sh', ['-c', 'mkdir -p "$1" && cp -a "$0/image" "$0/overlay2" "$1"', from, to]);
}

function topLayerOf(root: string, image: TestImage): { top: string; layer: string } {
  const layerDb = join(root, 'image/overlay2/layerdb/sha256');
  const top = readdirSync(layerDb).find((chain) => readFileSync(join(layerDb, chain, 'diff'), 'utf8') === image.diffIds.at(-1))!;
  return { top: join(layerDb, top), layer: join(root, 'overlay2', readFileSync(join(layerDb, top, 'cache-id'), 'utf8'), 'diff') };
}
