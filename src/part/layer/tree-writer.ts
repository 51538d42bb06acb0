/**
 * Writes the entries of a layer's tar into the root directory of the calling thread, which is chrooted into the layer's
 * staging directory: whatever a name or a symlink in the tar says, nothing outside can be reached (CVE-2021-32760,
 * CVE-2025-47290). All calls are synchronous; this runs on a worker thread only.
 */
import {
  chmodSync, chownSync, closeSync, constants, fchmodSync, fchownSync, futimesSync, lchownSync, linkSync, lstatSync, mkdirSync, openSync, readdirSync,
  rmdirSync, statSync, symlinkSync, unlinkSync, utimesSync, writeSync,
} from 'node:fs';
import { failure, GantryError, hasCode, messageOf } from '../../base/errors.ts';
import type { ErrorKind } from '../../base/errors.ts';
import { libc } from '../../host/libc.ts';
import { deviceNumber, makeWhiteout, seconds, setExactTime, setOpaque, setTime, setXattrs } from './entry-attributes.ts';
import { baseOf, bytesOf, normalName, parentOf, pathOf, textPathOf } from './entry-path.ts';
import type { LayerTwin } from './layer-twin.ts';
import { parseWhiteout } from './overlay-whiteouts.ts';
import { SparseFiles } from './sparse-file.ts';
import type { SparseFile } from './sparse-file.ts';
import { TakenFile } from './taken-file.ts';
import { badArchive, quoteName } from './tar-header.ts';
import type { TarEntry, TarTime } from './tar-header.ts';
import type { TarSink } from './tar-reader.ts';
import { checkEntries } from './unpack-limits.ts';
import type { UnpackLimits } from './unpack-limits.ts';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, S_IFCHR, S_IFBLK, S_IFIFO } = constants;

/**
 * The disk begins with a file of this size when it is complete: while layers are unpacked it has nothing else to do, and the sync at the end finds
 * less. Smaller ones are most of the files of an image, but few of its bytes.
 */
const writtenBackBytes = 64 * 1024;

/** What a tree takes on disk: counted, not measured, in blocks of the filesystem; directories are one block. */
export interface TreeUsage {
  readonly bytes: number;
  readonly inodes: number;
  /** Of `bytes`: in files that the twin has as well, the same ones. Undefined without a twin. */
  readonly linkedBytes?: number;
}

interface DirectoryAttributes {
  readonly mode: number;
  readonly mtime: TarTime;
}

export class TreeWriter implements TarSink {
  readonly #limits: UnpackLimits;
  readonly #blockSize = statSync('/').blksize;
  readonly #umask = process.umask();
  #bytes = this.#blockSize;
  #inodes = 1;
  #linkedBytes = 0;
  #entries = 0;
  #current: TarEntry | undefined;
  #currentName = '';
  #descriptor = -1;
  #sparse: SparseFile | undefined;
  /** The content is there already; what the tar has of it is only compared. */
  #taken: TakenFile | undefined;
  readonly #twin: LayerTwin | undefined;
  readonly #sparseFiles: SparseFiles;
  /** Directories known to exist, so that their files need not ask again. */
  readonly #known = new Set(['']);
  /** Modes and times to give at the end: while we write, a mode might forbid or a setgid bit change what we make. */
  readonly #directories = new Map<string, DirectoryAttributes>();
  /** Whiteouts made so far: a later entry of the same name replaces one. */
  readonly #whiteouts = new Set<string>();

  /** `twin`: the same layer elsewhere, whose files are taken over. */
  constructor(limits: UnpackLimits, twin?: LayerTwin) {
    this.#limits = limits;
    this.#twin = twin;
    this.#sparseFiles = new SparseFiles(limits, this.#blockSize);
  }

  get entries(): number {
    return this.#entries;
  }

  /** What files with holes take on disk beyond the content that the tar has of them: a byte takes a whole block. */
  get padding(): number {
    return this.#sparseFiles.padding;
  }

  begin(entry: TarEntry): void {
    checkEntries(this.#limits, ++this.#entries);
    this.#current = entry;
    this.#attempt(() => {
      this.#currentName = normalName(entry.name);
      this.#make(this.#currentName, entry);
    });
  }

  data(bytes: Buffer): void {
    this.#attempt(() => {
      if (this.#taken?.agrees(bytes) === true) return;
      if (this.#taken !== undefined) this.#leaveTaken(this.#taken);
      if (this.#descriptor < 0) return; // the content of a whiteout
      if (this.#sparse !== undefined) return this.#sparse.write(bytes);
      for (let written = 0; written < bytes.length;) written += writeSync(this.#descriptor, bytes, written, bytes.length - written);
    });
  }

  end(): void {
    const entry = this.#current;
    this.#taken?.close();
    this.#taken = undefined;
    if (this.#descriptor >= 0 && entry !== undefined) this.#attempt(() => this.#finishFile(this.#currentName, entry));
    this.#current = undefined;
  }

  /** Gives the directories their modes and times, and returns what the tree takes. */
  finish(): TreeUsage {
    if (!this.#directories.has('')) chmodSync('/', 0o755);
    for (const [name, { mode, mtime }] of this.#directories) {
      const path = pathOf(name);
      if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) continue; // replaced by a later entry
      chmodSync(path, mode);
      utimesSync(path, seconds(mtime), seconds(mtime));
      setExactTime(name, mtime);
    }
    return { bytes: this.#bytes, inodes: this.#inodes, ...(this.#twin === undefined ? {} : { linkedBytes: this.#linkedBytes }) };
  }

  #make(name: string, entry: TarEntry): void {
    const whiteout = parseWhiteout(baseOf(name));
    if (whiteout?.kind === 'ignore') return;
    if (whiteout?.kind === 'opaque') return this.#makeOpaque(parentOf(name));
    if (whiteout?.kind === 'delete') return this.#makeWhiteout(parentOf(name), whiteout.name);
    if (name === '') return this.#adoptRoot(entry);

    this.#makeParents(name);
    switch (entry.type) {
      case 'file':
        if (this.#linkToTwin(name, entry)) {
          this.#taken = this.#openTaken(name);
          break;
        }
        this.#descriptor = this.#replacing(name, () => openSync(pathOf(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, entry.mode & 0o777));
        if (entry.sparse === undefined) this.#count(Math.ceil(entry.size / this.#blockSize) * this.#blockSize);
        else this.#count((this.#sparse = this.#sparseFiles.open(this.#descriptor, entry.sparse)).allocated);
        if (this.#twin?.copy(name, entry, this.#descriptor) === true) this.#taken = this.#openTaken(name);
        break;
      case 'directory':
        this.#makeDirectory(name, entry);
        break;
      case 'hardlink':
        this.#makeHardLink(name, entry.linkName);
        break;
      case 'symlink':
        this.#makeSymlink(name, entry);
        break;
      default:
        this.#makeNode(name, entry);
    }
  }

  #linkToTwin(name: string, entry: TarEntry): boolean {
    if (this.#twin === undefined || !this.#replacing(name, () => this.#twin!.link(name, entry))) return false;
    const bytes = Math.ceil(entry.size / this.#blockSize) * this.#blockSize;
    this.#linkedBytes += bytes;
    this.#count(bytes);
    return true;
  }

  #openTaken(name: string): TakenFile {
    return new TakenFile(openSync(pathOf(name), O_RDONLY | O_NOFOLLOW));
  }

  /** The twin has something else there than the tar: a link is left to the twin, and the file gets what the tar has. */
  #leaveTaken(taken: TakenFile): void {
    const { name, entry } = { name: this.#currentName, entry: this.#current! };
    this.#taken = undefined;
    try {
      const isLink = this.#descriptor < 0;
      if (isLink) {
        unlinkSync(pathOf(name));
        this.#linkedBytes -= Math.ceil(entry.size / this.#blockSize) * this.#blockSize;
        this.#descriptor = openSync(pathOf(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, entry.mode & 0o777);
      }
      taken.copyAgreed(this.#descriptor);
    } finally {
      taken.close();
    }
  }

  #finishFile(name: string, entry: TarEntry): void {
    const fd = this.#descriptor;
    this.#descriptor = -1;
    this.#sparse = undefined;
    try {
      // The order matters: writing and chown clear setuid bits and file capabilities.
      if (entry.uid !== 0 || entry.gid !== 0) fchownSync(fd, entry.uid, entry.gid);
      if ((entry.mode & (0o7000 | this.#umask)) !== 0) fchmodSync(fd, entry.mode);
      setXattrs(name, entry);
      futimesSync(fd, seconds(entry.mtime), seconds(entry.mtime));
      setExactTime(name, entry.mtime);
      if (entry.size >= writtenBackBytes) libc.beginWriteback(fd);
    } finally {
      closeSync(fd);
    }
  }

  #adoptRoot(entry: TarEntry): void {
    if (entry.type !== 'directory') throw badArchive('the root of a layer must be a directory');
    chownSync('/', entry.uid, entry.gid);
    setXattrs('', entry);
    this.#directories.set('', { mode: entry.mode, mtime: entry.mtime });
  }

  #makeDirectory(name: string, entry: TarEntry): void {
    if (!this.#isDirectory(name)) this.#newDirectory(name);
    lchownSync(pathOf(name), entry.uid, entry.gid); // also when 0: the parent's setgid bit may have given another group
    setXattrs(name, entry);
    this.#known.add(name);
    this.#directories.set(name, { mode: entry.mode, mtime: entry.mtime });
  }

  /** Makes a directory where none is; where this layer deletes that name from the lower ones, it starts empty. */
  #newDirectory(name: string): void {
    const hidesLower = this.#whiteouts.delete(name);
    this.#replacing(name, () => mkdirSync(pathOf(name), 0o700));
    this.#count(this.#blockSize);
    if (hidesLower) setOpaque(name);
  }

  /** Directories that the tar never mentions belong to root and are 0755, as Docker makes them. */
  #makeParents(name: string): void {
    const parent = parentOf(name);
    if (this.#known.has(parent)) return;
    this.#makeParents(parent);
    if (this.#whiteouts.has(parent) || !this.#leadsToDirectory(parent)) {
      this.#newDirectory(parent);
      chmodSync(pathOf(parent), 0o755);
    }
    this.#known.add(parent);
  }

  /** A parent may be a symlink of this layer to a directory of this layer; a file in its place is the archive's fault. */
  #leadsToDirectory(name: string): boolean {
    const found = statSync(pathOf(name), { throwIfNoEntry: false });
    if (found === undefined) {
      if (lstatSync(pathOf(name), { throwIfNoEntry: false }) === undefined) return false;
      throw badArchive(`${quoteName(name)} is a symlink that leads nowhere in this layer, so nothing can be below it`);
    }
    if (!found.isDirectory()) throw badArchive(`${quoteName(name)} is not a directory, so nothing can be below it`);
    return true;
  }

  #isDirectory(name: string): boolean {
    if (this.#whiteouts.has(name)) return false;
    return lstatSync(pathOf(name), { throwIfNoEntry: false })?.isDirectory() ?? false;
  }

  #makeHardLink(name: string, linkName: string): void {
    const target = normalName(linkName);
    if (target === name) return;
    if (lstatSync(pathOf(target), { throwIfNoEntry: false }) === undefined) {
      throw badArchive(`it is a hard link to ${quoteName(target)}, which is not in this layer`);
    }
    this.#replacing(name, () => linkSync(pathOf(target), pathOf(name)));
  }

  #makeSymlink(name: string, entry: TarEntry): void {
    this.#replacing(name, () => symlinkSync(bytesOf(entry.linkName), pathOf(name)));
    lchownSync(pathOf(name), entry.uid, entry.gid);
    setXattrs(name, entry);
    setTime(name, entry.mtime);
    this.#count(0);
  }

  #makeNode(name: string, entry: TarEntry): void {
    const kind = entry.type === 'char' ? S_IFCHR : entry.type === 'block' ? S_IFBLK : S_IFIFO;
    this.#replacing(name, () => libc.mknod(textPathOf(name), kind | 0o600, deviceNumber(entry.major, entry.minor)));
    lchownSync(pathOf(name), entry.uid, entry.gid);
    chmodSync(pathOf(name), entry.mode); // no symlink: we have just made it
    setXattrs(name, entry);
    setTime(name, entry.mtime);
    this.#count(0);
  }

  #makeOpaque(directory: string): void {
    this.#makeParents(`${directory}/x`);
    setOpaque(directory);
  }

  /** A whiteout is about lower layers only: what this layer has under that name stays, and a directory hides the lower one. */
  #makeWhiteout(directory: string, base: string): void {
    if (base === '' || base === '.' || base === '..') throw badArchive('a whiteout that names no file is refused');
    const name = directory === '' ? base : `${directory}/${base}`;
    this.#makeParents(name);
    const present = lstatSync(pathOf(name), { throwIfNoEntry: false });
    if (present?.isDirectory()) return setOpaque(name);
    if (present !== undefined) return;
    makeWhiteout(name);
    this.#whiteouts.add(name);
    this.#count(0);
  }

  /** Runs `make`; where something of that name exists (a tar may list a name twice, the later wins), removes it first. */
  #replacing<T>(name: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      this.#remove(name);
      return make();
    }
  }

  #remove(name: string): void {
    const path = pathOf(name);
    const found = lstatSync(path);
    this.#whiteouts.delete(name);
    if (found.isDirectory()) {
      for (const child of readdirSync(path, { encoding: 'latin1' })) this.#remove(`${name}/${child}`);
      rmdirSync(path);
      this.#forgetPaths();
      this.#uncount(this.#blockSize);
    } else {
      unlinkSync(path);
      if (found.isSymbolicLink()) this.#forgetPaths();
      if (found.nlink === 1) this.#uncount(found.isFile() ? this.#sparseFiles.forget(found.ino) ?? Math.ceil(found.size / this.#blockSize) * this.#blockSize : 0);
    }
  }

  /** Paths through what was removed may mean something else from now on. */
  #forgetPaths(): void {
    this.#known.clear();
    this.#known.add('');
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#inodes += 1;
  }

  #uncount(bytes: number): void {
    this.#bytes -= bytes;
    this.#inodes -= 1;
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof GantryError && error.object !== undefined) throw error;
      const why = error instanceof GantryError ? error.why ?? error.message : messageOf(error);
      throw failure(kindOfWriteError(error), { act: 'unpack entry', object: quoteName(this.#current?.name ?? ''), why, cause: error });
    }
  }
}

/** A full disk is nobody's fault; what the archive asks for and no filesystem can do is the archive's. */
export function kindOfWriteError(error: unknown): ErrorKind {
  if (error instanceof GantryError) return error.kind;
  if (hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')) return 'resource-exhausted';
  if (['EIO', 'EROFS', 'EPERM', 'EACCES', 'ENOMEM', 'EMFILE', 'ENFILE'].some((code) => hasCode(error, code))) return 'internal';
  return 'failed-precondition'; // the archive asks for something impossible: ENOTDIR, ENAMETOOLONG, ELOOP, …
}
