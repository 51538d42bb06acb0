/** What every snapshot driver promises (snapshotter.ts). */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { isKind } from '../../base/errors.ts';
import { mountIdmapped, unmountIdmapped } from '../../host/idmapped-mount.ts';
import { libc } from '../../host/libc.ts';
import { withUserNamespace } from '../../host/user-namespaces.ts';
import { changesDir, releaseRoot, releaseView, removeWritableLayer, treePath } from './snapshotter.ts';
import type { RootRequest, Snapshotter, ViewRequest } from './snapshotter.ts';

const { signal } = new AbortController();

/** What a layer has, by path: text of a file, or what makes it. Folders on the way are made. */
export type LayerFiles = Readonly<Record<string, string | ((path: string) => void)>>;

/** One folder with layers, and with a root and a view that go with the test. */
export class SnapshotBed {
  readonly folder: string;
  readonly root: RootRequest;
  readonly view: ViewRequest;

  /** `layers` topmost first; the folder of all is below `parent`. */
  constructor(t: TestContext, layers: readonly LayerFiles[], parent = tmpdir()) {
    this.folder = mkdtempSync(join(parent, 'gantry-snapshot-'));
    const directories = layers.map((files, n) => makeLayer(join(this.folder, 'layers', String(n)), files));
    this.root = { writableDir: join(this.folder, 'w'), mountpoint: join(this.folder, 'm'), layers: directories };
    this.view = { directory: join(this.folder, 'volume'), writableDir: join(this.folder, 'copied'), layers: directories };
    t.after(async () => {
      await releaseRoot(this.root.mountpoint);
      await releaseView(this.view.directory);
      await unmountIdmapped(this.mappedLayers);
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  /** For a mount of the layers with their owners mapped. */
  get mappedLayers(): string {
    return join(this.folder, 'mapped');
  }

  /** A path in the mounted root. */
  path(name: string): string {
    return join(this.root.mountpoint, name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }
}

function makeLayer(directory: string, files: LayerFiles): string {
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(join(path, '..'), { recursive: true });
    if (typeof content === 'string') writeFileSync(path, content);
    else content(path);
  }
  return directory;
}

/** As the unpacker marks that a name of lower layers is gone. */
export const whiteout = (path: string): void => libc.mknod(path, 0o020000, 0n);

/** A directory that hides what lower layers have in it. */
const opaque = (path: string): void => {
  mkdirSync(path, { recursive: true });
  libc.lsetxattr(path, 'trusted.overlay.opaque', Buffer.from('y'), 0);
};

// Revision 2: cap_net_bind_service, permitted and effective.
const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');

/** Declares the tests. */
export function snapshotContract(snapshotter: Snapshotter): void {
  test('the topmost layer wins, and what is written is in the writable directory only', async (t) => {
    const bed = new SnapshotBed(t, [{ both: 'top' }, { both: 'bottom', below: 'here', 'folder/a': 'a' }]);

    await snapshotter.prepareRoot(bed.root, signal);
    writeFileSync(bed.path('new'), 'written');
    writeFileSync(bed.path('below'), 'changed');
    rmSync(bed.path('folder'), { recursive: true });

    assert.deepEqual([bed.read('both'), bed.read('below')], ['top', 'changed']);
    assert.equal(readFileSync(join(changesDir(snapshotter.driver, bed.root.writableDir), 'new'), 'utf8'), 'written');
    assert.deepEqual(bed.root.layers.map((layer) => readdirSync(layer).sort()), [['both'], ['below', 'both', 'folder']]);
    assert.equal(readFileSync(join(bed.root.layers[1]!, 'below'), 'utf8'), 'here');
  });

  test('deletions hide what lies below, and only that', async (t) => {
    const bed = new SnapshotBed(t, [
      { 'etc/gone': whiteout, 'opaque/new': 'new', 'file-now': 'file', 'folder-now/in': 'in', 'opaque': opaque, 'again/x': 'top' },
      { 'again': whiteout, 'etc/middle': 'middle' },
      { 'etc/gone': 'x', 'etc/kept': 'kept', 'opaque/old': 'old', 'file-now/was': 'folder', 'folder-now': 'was a file', 'again/y': 'hidden by the middle', 'etc/gone-folder/x': '' },
    ]);

    await snapshotter.prepareRoot(bed.root, signal);

    assert.deepEqual(readdirSync(bed.path('etc')).sort(), ['gone-folder', 'kept', 'middle']);
    assert.deepEqual(readdirSync(bed.path('opaque')), ['new']);
    assert.deepEqual([bed.read('file-now'), bed.read('folder-now/in')], ['file', 'in']);
    assert.deepEqual(readdirSync(bed.path('again')), ['x'], 'what a layer in the middle deletes stays deleted');
    assert.equal(libc.lgetxattr(bed.path('opaque'), 'trusted.overlay.opaque'), undefined, 'the marks are not seen');
  });

  test('a file is the same in all that a program could notice', async (t) => {
    const bed = new SnapshotBed(t, [{
      'bin/program': 'text',
      'bin/same': (path) => linkSync(join(path, '../program'), path),
      'null': (path) => libc.mknod(path, 0o020640, 0x103n),
      'fifo': (path) => libc.mknod(path, 0o010600, 0n),
      'link': (path) => symlinkSync('/etc/passwd', path),
      'sparse': (path) => {
        writeFileSync(path, 'head');
        truncateSync(path, 9 << 20);
      },
      'closed/in': 'in',
    }]);
    const source = bed.root.layers[0]!;
    chownSync(join(source, 'bin/program'), 7, 8);
    chmodSync(join(source, 'bin/program'), 0o4755);
    libc.lsetxattr(join(source, 'bin/program'), 'user.note', Buffer.from('kept'), 0);
    libc.lsetxattr(join(source, 'bin/program'), 'security.capability', capability, 0);
    libc.utimensat(join(source, 'bin/program'), 5_000_000_007n, -5_000_000_001n);
    libc.utimensat(join(source, 'closed'), 1n, 1_000_000_003n);
    chmodSync(join(source, 'closed'), 0o1500);

    await snapshotter.prepareRoot(bed.root, signal);

    const program = lstatSync(bed.path('bin/program'), { bigint: true });
    assert.deepEqual([program.mode & 0o7777n, program.uid, program.gid, program.mtimeNs, program.nlink], [0o4755n, 7n, 8n, -5_000_000_001n, 2n]);
    assert.equal(lstatSync(bed.path('bin/same'), { bigint: true }).ino, program.ino, 'still two names of one file');
    assert.equal(libc.lgetxattr(bed.path('bin/program'), 'user.note')?.toString(), 'kept');
    assert.deepEqual(libc.lgetxattr(bed.path('bin/program'), 'security.capability'), capability);
    assert.deepEqual([lstatSync(bed.path('null')).rdev, lstatSync(bed.path('null')).mode], [0x103, 0o020640]);
    assert.ok(lstatSync(bed.path('fifo')).isFIFO());
    assert.ok(lstatSync(bed.path('link')).isSymbolicLink());
    const sparse = lstatSync(bed.path('sparse'));
    assert.ok(sparse.size === 9 << 20 && sparse.blocks * 512 < 1 << 20, `${sparse.size} bytes in ${sparse.blocks} blocks`);
    assert.equal(readFileSync(bed.path('sparse')).toString('utf8', 0, 5), 'head\0');
    const closed = lstatSync(bed.path('closed'), { bigint: true });
    assert.deepEqual([closed.mode & 0o7777n, closed.mtimeNs], [0o1500n, 1_000_000_003n]);
  });

  test('names need not be UTF-8', async (t) => {
    const bed = new SnapshotBed(t, [{ folder: (path) => mkdirSync(path) }]);
    const name = (directory: string): Buffer => Buffer.concat([Buffer.from(`${directory}/folder/`), Buffer.from([0x61, 0xff])]);
    writeFileSync(name(bed.root.layers[0]!), 'bytes');

    await snapshotter.prepareRoot(bed.root, signal);

    assert.equal(readFileSync(name(bed.root.mountpoint), 'utf8'), 'bytes');
  });

  test('the root has the mode and owner that the topmost layer gives it', async (t) => {
    const bed = new SnapshotBed(t, [{ a: 'a' }, { b: 'b' }]);
    chmodSync(bed.root.layers[0]!, 0o1755);
    chownSync(bed.root.layers[0]!, 7, 8);

    await snapshotter.prepareRoot(bed.root, signal);

    const { mode, uid, gid } = statSync(bed.root.mountpoint);
    assert.deepEqual([mode & 0o7777, uid, gid], [0o1755, 7, 8]);
  });

  const maps = { uids: { containerId: 0, hostId: 200_000, length: 65_536 }, gids: { containerId: 0, hostId: 300_000, length: 65_536 } };

  test('for a pod with a user namespace owners and capabilities are mapped, in roots and views, and the layers stay as they are', async (t) => {
    const bed = new SnapshotBed(t, [{ top: 'top' }, { program: 'text', foreign: '' }]);
    const source = bed.root.layers[1]!;
    chownSync(join(source, 'program'), 7, 8);
    chownSync(join(source, 'foreign'), 70_000, 70_000);
    libc.lsetxattr(join(source, 'program'), 'security.capability', capability, 0);
    const layersRoot = bed.mappedLayers;
    await withUserNamespace(maps, (userFd) => mountIdmapped({ source: join(bed.folder, 'layers'), target: layersRoot, userNamespace: `/proc/self/fd/${userFd}` }, 200_000));
    const owners = { maps, layersRoot };

    await snapshotter.prepareRoot({ ...bed.root, owners }, signal);
    await snapshotter.prepareView({ ...bed.view, owners }, signal);

    for (const tree of [bed.root.mountpoint, treePath(bed.view.directory)]) {
      const ownersOf = (name: string): number[] => [lstatSync(join(tree, name)).uid, lstatSync(join(tree, name)).gid];
      assert.deepEqual([ownersOf(''), ownersOf('top'), ownersOf('program'), ownersOf('foreign')], [[200_000, 300_000], [200_000, 300_000], [200_007, 300_008], [65_534, 65_534]]);
      const mapped = libc.lgetxattr(join(tree, 'program'), 'security.capability');
      assert.deepEqual([mapped?.[3], mapped?.readUInt32LE(20)], [3, 200_000], 'the capabilities are those of the root of the pod');
    }
    assert.deepEqual([statSync(join(source, 'program')).uid, libc.lgetxattr(join(source, 'program'), 'security.capability')], [7, capability]);
  });

  test("the root of an image without layers is empty, and its pod's own", async (t) => {
    const bed = new SnapshotBed(t, []);

    await snapshotter.prepareRoot({ ...bed.root, owners: { maps, layersRoot: undefined } }, signal);

    const { mode, uid, gid } = statSync(bed.root.mountpoint);
    assert.deepEqual([mode & 0o7777, uid, gid, readdirSync(bed.root.mountpoint)], [0o755, 200_000, 300_000, []]);
  });

  test('what was written is there again after a second mount', async (t) => {
    const bed = new SnapshotBed(t, [{ a: 'a', b: 'b' }]);
    await snapshotter.prepareRoot(bed.root, signal);
    writeFileSync(bed.path('new'), 'kept');
    rmSync(bed.path('b'));
    await releaseRoot(bed.root.mountpoint);

    const copied = await snapshotter.prepareRoot(bed.root, signal);

    assert.deepEqual([bed.read('a'), bed.read('new'), existsSync(bed.path('b')), copied], ['a', 'kept', false, undefined]);
  });

  test('releasing and removing may be repeated, also of what was never made', async (t) => {
    const bed = new SnapshotBed(t, [{ a: 'a' }]);
    await snapshotter.prepareRoot(bed.root, signal);

    for (let times = 0; times < 2; times++) {
      await releaseRoot(bed.root.mountpoint);
      await releaseView(bed.view.directory);
      await removeWritableLayer(bed.root.writableDir);
    }

    assert.deepEqual(readdirSync(bed.folder), ['layers']);
  });

  test('a layer that is gone is named, and nothing is made', async (t) => {
    const bed = new SnapshotBed(t, [{}]);
    rmSync(bed.root.layers[0]!, { recursive: true });
    const isGone = (error: unknown): boolean => isKind(error, 'not-found') && /^make root filesystem .*: its layer .*layers\/0 is gone$/.test((error as Error).message);

    await assert.rejects(snapshotter.prepareRoot(bed.root, signal), isGone);
    await assert.rejects(snapshotter.prepareView(bed.view, signal), isGone);

    assert.deepEqual(readdirSync(bed.folder), ['layers']);
  });

  test('a view shows the layers merged, deletions and all, and cannot be written', async (t) => {
    const several = new SnapshotBed(t, [{ both: 'top', hidden: whiteout }, { both: 'bottom', hidden: '', below: 'here' }]);
    const single = new SnapshotBed(t, [{ a: 'a', removed: whiteout }]);

    for (const { view } of [several, single]) await snapshotter.prepareView(view, signal);

    const [tree, singleTree] = [treePath(several.view.directory), treePath(single.view.directory)];
    assert.deepEqual(readdirSync(tree).sort(), ['below', 'both']);
    assert.equal(readFileSync(join(tree, 'both'), 'utf8'), 'top');
    assert.deepEqual(readdirSync(singleTree), ['a']);
    for (const path of [join(tree, 'new'), join(singleTree, 'a')]) assert.throws(() => writeFileSync(path, ''), { code: 'EROFS' });
  });

  test('a view of no layers is empty', async (t) => {
    const { view } = new SnapshotBed(t, []);

    await snapshotter.prepareView(view, signal);

    assert.deepEqual(readdirSync(treePath(view.directory)), []);
  });

  test('a view is taken away with its directory, also twice, and its layers stay', async (t) => {
    const { view } = new SnapshotBed(t, [{ a: 'a' }]);
    await snapshotter.prepareView(view, signal);

    await releaseView(view.directory);
    await releaseView(view.directory);

    assert.equal(existsSync(view.directory), false);
    assert.equal(readFileSync(join(view.layers[0]!, 'a'), 'utf8'), 'a');
    assert.equal(basename(view.layers[0]!), '0');
  });
}
