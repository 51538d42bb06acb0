/**
 * What is where in an image archive: an index over a tar that is kept as it came. Names in it are an outsider's, and none of them ever
 * becomes a path of this machine: they are keys only, and links are followed from key to key.
 */
import { failure } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';

/** The part of a tar entry that an index needs; TarEntry of part/layer is one. */
export interface ArchiveEntry {
  readonly type: string;
  readonly name: string;
  readonly linkName: string;
  readonly size: number;
  /** Set when it has holes, which are not in the tar. */
  readonly sparse?: object | undefined;
}

/** Where a file's content is in the tar. */
export interface ArchivedFile {
  readonly offset: number;
  readonly size: number;
}

/** An archive of 500 images in Docker's oldest format, of 50 layers each, has fewer. */
const mostEntries = 100_000;
/** Far beyond what any tool writes: a name has a digest or two. */
const longestName = 1024;
const mostLinks = 8;

/** Makes the error for an archive that cannot be read. */
export function badArchive(why: string, entry?: string): GantryError {
  return failure('failed-precondition', { act: 'read image archive', ...(entry === undefined ? {} : { object: `entry ${JSON.stringify(entry.slice(0, 200))}` }), why });
}

/** A sink for the tar's reader. Refuses (failed-precondition) names that lead out, names that are there twice, and what is neither file, directory nor link. */
export class ArchiveIndex {
  readonly #files = new Map<string, ArchivedFile>();
  /** Name to the name that it stands for. */
  readonly #links = new Map<string, string>();
  #entries = 0;
  #piece: Buffer = Buffer.alloc(0);
  #position = 0;
  /** The file whose content is expected, until its first byte comes. */
  #awaited: { readonly name: string; readonly size: number } | undefined;

  /** To be called before the tar's reader gets a piece: `position` is where in the tar it begins. */
  beginPiece(piece: Buffer, position: number): void {
    this.#piece = piece;
    this.#position = position;
  }

  begin(entry: ArchiveEntry): void {
    if (++this.#entries > mostEntries) throw badArchive(`it has more than ${mostEntries} entries: it is no image archive`);
    if (entry.name.length > longestName) throw badArchive(`its name has more than ${longestName} bytes`, entry.name);
    const name = keyOf(entry.name);
    switch (entry.type) {
      case 'directory':
        return;
      case 'file':
        this.#refuseTwice(name);
        if (entry.sparse !== undefined) throw badArchive('it is stored with holes: write the archive without --sparse', entry.name);
        this.#files.set(name, { offset: 0, size: entry.size });
        this.#awaited = { name, size: entry.size };
        return;
      case 'hardlink':
        this.#refuseTwice(name);
        this.#links.set(name, targetOf([], entry));
        return;
      case 'symlink':
        this.#refuseTwice(name);
        this.#links.set(name, targetOf(name.split('/').slice(0, -1), entry));
        return;
      default:
        throw badArchive('it is a device or a pipe: an image archive has files, directories and links only', entry.name);
    }
  }

  /** `bytes` is a view into the piece. */
  data(bytes: Buffer): void {
    if (this.#awaited === undefined) return;
    const { name, size } = this.#awaited;
    this.#files.set(name, { offset: this.#position + bytes.byteOffset - this.#piece.byteOffset, size });
    this.#awaited = undefined;
  }

  end(): void {
    this.#awaited = undefined;
  }

  /** The file of this name, links followed; undefined when there is none. Links in a circle: failed-precondition. */
  find(name: string): ArchivedFile | undefined {
    let key = keyOf(name);
    for (let hops = 0; hops <= mostLinks; hops++) {
      const file = this.#files.get(key);
      if (file !== undefined) return file;
      const target = this.#links.get(key);
      if (target === undefined) return undefined;
      key = target;
    }
    throw badArchive(`more than ${mostLinks} links follow each other`, name);
  }

  #refuseTwice(name: string): void {
    if (this.#files.has(name) || this.#links.has(name)) throw badArchive('it is there twice, and which one counts would be a guess', name);
  }
}

/** A name in one form: without `.` and doubled slashes. */
function keyOf(name: string): string {
  if (name.startsWith('/')) throw badArchive('its name is absolute', name);
  const elements = elementsOf(name);
  if (elements.includes('..')) throw badArchive("its name has '..' in it", name);
  return elements.join('/');
}

/** Where a link leads, seen from the directory `from`. Docker's oldest archives share layers by symlinks such as `../<id>/layer.tar`. */
function targetOf(from: readonly string[], entry: ArchiveEntry): string {
  const elements = [...from];
  for (const element of elementsOf(entry.linkName)) {
    if (element !== '..') elements.push(element);
    else if (elements.pop() === undefined) throw leadsOut(entry);
  }
  if (entry.linkName.startsWith('/')) throw leadsOut(entry);
  return elements.join('/');
}

function elementsOf(path: string): string[] {
  return path.split('/').filter((element) => element !== '' && element !== '.');
}

function leadsOut(entry: ArchiveEntry): GantryError {
  return badArchive('it is a link that leads out of the archive', entry.name);
}
