/**
 * Unpacked layers, one directory each, stored once however many images share them: `<root>/layers/<short name>`. A name is
 * short because overlayfs gets all lower directories of a container in one page of mount options. A directory is
 * announced in the ledger, filled under `<root>/staging`, checked, renamed, synced, and only then recorded; what has no record is
 * removed at the next start. Of the same name is the outline of the layer's tar, `<root>/outlines/<short name>`: it comes and goes with the layer.
 */
import { closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { hexOf } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { failure, isKind } from '../../base/errors.ts';
import { atPoint } from '../../base/faults.ts';
import { makePrivateDir, removeTree } from '../../host/files.ts';
import { libc } from '../../host/libc.ts';
import { openOneMount } from '../../host/one-mount.ts';
import type { OneMount } from '../../host/one-mount.ts';
import { removeLargeTree } from '../../host/remove-large-tree.ts';
import { PartialBlobs } from './partial-blobs.ts';
import type { PartialBlob } from './partial-blobs.ts';
import { rebuildTar } from './rebuild-tar.ts';
import { SyncGroup } from './sync-group.ts';
import type { UnpackPool } from './unpack-pool.ts';
import type { UnpackLimits } from './unpack-limits.ts';
import type { ExpectedLayer, UnpackResult } from './unpack-protocol.ts';

export interface LayerRecord {
  readonly diffId: Digest;
  /** Its directory's name. */
  readonly name: string;
  /** On disk, in filesystem blocks. */
  readonly bytes: number;
  readonly inodes: number;
  /** The blob that it was unpacked from: size is what was downloaded. */
  readonly blob: Digest;
  readonly blobSize: number;
  /** Of its tar; undefined for a layer of a Gantry that kept no outlines. */
  readonly tarBytes?: number;
  /** Of `bytes`: in files that another runtime's store has as well; undefined for a layer that was not taken over from one. */
  readonly linkedBytes?: number;
}

/** A stored layer as the tar that it was unpacked from. */
export interface LayerTar {
  readonly bytes: number;
  /** May be called again. Errors: those of rebuildTar. */
  read(): AsyncGenerator<Buffer>;
}

/** What the layer store needs of the daemon's store (the part `store` has it). */
export interface LayerJournal {
  readonly records: { put(id: string, value: LayerRecord): void; get(id: string): LayerRecord | undefined; delete(id: string): void; all(): LayerRecord[] };
  readonly ledger: { intend(owner: string, kind: string, data: unknown): number; clear(seq: number): void; rows(owner?: string): { seq: number; kind: string; data: unknown }[] };
  transaction<T>(fn: () => T): T;
}

export interface LayerStoreDeps {
  /** The daemon's root directory. */
  readonly root: string;
  readonly journal: LayerJournal;
  readonly pool: UnpackPool;
  readonly limits: UnpackLimits;
}

/** A layer to be had. */
export interface LayerRequest {
  readonly expected: ExpectedLayer;
  /** Gives the blob's bytes from byte `from` on. */
  readonly open: (signal: AbortSignal, from: number) => AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
  /** The bytes come from afar: what has come is kept when their way breaks. Otherwise `from` is always 0. */
  readonly resumes?: boolean;
  /** Called when the layer is unpacked; it is synced when what this returns has settled, so that layers can share a sync. */
  readonly unpacked?: () => Promise<void>;
  /** A directory that holds the same layer unpacked: its files are taken over where they are alike, by hard links (layer-twin.ts). */
  readonly twin?: string;
}

/** How one try to unpack ended. `refused`: by what was in the bytes, not by how they came. */
type Attempt = { readonly usage: UnpackResult } | { readonly usage?: undefined; readonly error: unknown; readonly refused: boolean };

const ledgerKind = 'layer-directory';

/** In the ledger of a removal; a layer being made is found by the row's number. */
interface Debt {
  readonly name: string;
}

export class LayerStore {
  /** Downloads that were interrupted. */
  readonly partials: PartialBlobs;
  readonly #layers: string;
  readonly #staging: string;
  readonly #outlines: string;
  readonly #journal: LayerJournal;
  readonly #pool: UnpackPool;
  readonly #limits: UnpackLimits;
  readonly #synced: SyncGroup;
  /** Directories that could not be removed, by the numbers of their rows. */
  readonly #left = new Map<number, string>();

  constructor(deps: LayerStoreDeps) {
    this.partials = new PartialBlobs(deps.root);
    this.#layers = join(deps.root, 'layers');
    this.#staging = join(deps.root, 'staging');
    this.#outlines = join(deps.root, 'outlines');
    this.#journal = deps.journal;
    this.#pool = deps.pool;
    this.#limits = deps.limits;
    this.#synced = new SyncGroup(() => this.#syncToDisk());
    // What images mark setuid, and the devices in them, must not be within reach of the node's users (CVE-2021-41103): overlayfs looks at layers
    // with the daemon's power, and nobody else has to pass through here.
    makePrivateDir(this.#layers);
    makePrivateDir(this.#staging);
    makePrivateDir(this.#outlines);
  }

  /** Where the layer directories are. */
  get directory(): string {
    return this.#layers;
  }

  get(diffId: Digest): LayerRecord | undefined {
    return this.#journal.records.get(hexOf(diffId));
  }

  all(): LayerRecord[] {
    return this.#journal.records.all();
  }

  /** Somebody is about to ask for layers: makes ready what takes a while to start. Best effort, and cheap when it is ready. */
  prepare(): void {
    this.#pool.warm().catch(() => {}); // it is told when a layer comes
  }

  /** Names of the directories that are stored layers, are becoming one, or are being removed. */
  namesInUse(): Set<string> {
    const announced = this.#journal.ledger.rows().filter(({ kind }) => kind === ledgerKind);
    return new Set([...this.all().map(({ name }) => name), ...announced.map(({ seq, data }) => (data as Debt | null)?.name ?? nameOf(seq))]);
  }

  /** The absolute directory of a stored layer; not-found when it isn't stored. */
  directoryOf(diffId: Digest): string {
    const record = this.get(diffId);
    if (record === undefined) throw failure('not-found', { act: 'find layer', object: diffId, why: 'it is not on this node: pull the image again' });
    return join(this.#layers, record.name);
  }

  /** The layer's tar, byte for byte. Of a layer that was unpacked before outlines were kept: failed-precondition; not stored: not-found. */
  tarOf(diffId: Digest): LayerTar {
    const directory = this.directoryOf(diffId);
    const { name, tarBytes } = this.get(diffId)!;
    if (tarBytes === undefined) throw failure('failed-precondition', { act: 'rebuild layer', object: diffId, why: 'an older Gantry unpacked it and did not keep what that takes: remove the image and pull it again' });
    return { bytes: tarBytes, read: () => rebuildTar({ outline: join(this.#outlines, name), directory, diffId }) };
  }

  /**
   * Downloads, unpacks, checks and stores a layer; durable when it resolves. Already stored: nothing is done. When it throws, nothing
   * is left behind but the partial download, where the fault was not in its bytes: the next call begins with that. Two calls at once
   * for the same layer both work and one result is kept; who wants to share the download joins the calls. Errors: those of UnpackPool.unpack.
   */
  async add(request: LayerRequest): Promise<LayerRecord> {
    const { expected, unpacked } = request;
    const stored = this.get(expected.diffId);
    if (stored !== undefined) return stored;
    if (expected.size > this.#limits.maxBytes) throw failure('resource-exhausted', { act: 'unpack layer', object: expected.blob, why: `its manifest says ${expected.size} bytes, the limit is ${this.#limits.maxBytes}` });
    const seq = this.#announce(expected.diffId);
    const onDisk = this.#synced.writing();
    try {
      const usage = await atPoint('layer/unpack', () => this.#resume(nameOf(seq), request));
      await atPoint('layer/rename', () => renameSync(join(this.#staging, nameOf(seq)), join(this.#layers, nameOf(seq))));
      await unpacked?.();
      await atPoint('layer/sync', onDisk);
      return await atPoint('layer/record', () => this.#record(seq, expected, usage));
    } catch (error) {
      await this.#discard(seq);
      throw error;
    }
  }

  /** Removes a stored layer. Its record goes first, so that a crash midway leaves a debt, never half a layer. Absent is fine. */
  async remove(diffId: Digest): Promise<void> {
    const record = this.get(diffId);
    if (record === undefined) return;
    const seq = this.#journal.transaction(() => {
      this.#journal.records.delete(hexOf(diffId));
      return this.#journal.ledger.intend(diffId, ledgerKind, { name: record.name } satisfies Debt);
    });
    await this.#discard(seq, record.name);
  }

  /** Names of the directories that could not be removed when they should have been. */
  leftBehind(): string[] {
    return [...this.#left.values()];
  }

  /** Removes one of those; another name is fine. */
  async removeLeft(name: string): Promise<void> {
    const [seq] = [...this.#left].find(([, left]) => left === name) ?? [];
    if (seq !== undefined) await this.#discard(seq, name);
  }

  /** After a crash: removes the directories that were being made or removed, and forgets layers whose directory is gone. */
  async recover(): Promise<void> {
    for (const row of this.#journal.ledger.rows()) {
      if (row.kind === ledgerKind) await this.#discard(row.seq, (row.data as Debt | null)?.name);
    }
    for (const record of this.all()) {
      if (!existsSync(join(this.#layers, record.name))) this.#journal.records.delete(hexOf(record.diffId));
    }
  }

  /** Unpacks into staging, beginning with what an earlier download left of the blob. If that is refused it may be the fault: once more without. */
  async #resume(name: string, request: LayerRequest): Promise<UnpackResult> {
    const partial = request.resumes === true ? this.partials.claim(request.expected) : undefined;
    const isResumed = partial !== undefined && partial.length > 0;
    let attempt = await this.#unpack(name, request, partial);
    if (isResumed && attempt.usage === undefined && attempt.refused && !isKind(attempt.error, 'resource-exhausted')) {
      partial.clear();
      attempt = await this.#unpack(name, request, partial);
    }
    if (attempt.usage === undefined && !attempt.refused) partial?.keep();
    else partial?.discard();
    if (attempt.usage === undefined) throw attempt.error;
    return attempt.usage;
  }

  /** Unpacks into staging; the outline is counted in what the layer takes. */
  async #unpack(name: string, { expected, open, signal, twin }: LayerRequest, partial: PartialBlob | undefined): Promise<Attempt> {
    const from = partial?.length ?? 0;
    let broke: unknown;
    const download = async function* (workSignal: AbortSignal): AsyncGenerator<Uint8Array> {
      if (partial !== undefined) yield* partial.read(from);
      try {
        yield* open(workSignal, from);
      } catch (error) {
        broke ??= error;
        throw error;
      }
    };
    const directory = join(this.#staging, name);
    let outline: number | undefined;
    let twinDirectory: number | undefined;
    let oneMount: OneMount | undefined;
    try {
      await removeLargeTree(directory); // of the attempt before
      mkdirSync(directory, { mode: 0o700 });
      outline = openSync(join(this.#outlines, name), 'w', 0o600);
      if (twin !== undefined) {
        oneMount = await openOneMount(directory, twin);
        twinDirectory = openSync(oneMount?.second ?? twin, constants.O_RDONLY | constants.O_DIRECTORY);
      }
      const recording = partial === undefined ? {} : { recording: { fd: partial.fd, from } };
      const usage = await this.#pool.unpack({ directory: oneMount?.first ?? directory, outline, expected, limits: this.#limits, open: download, signal, ...recording, ...(twinDirectory === undefined ? {} : { twin: twinDirectory }) });
      const { size, blksize } = fstatSync(outline);
      return { usage: { ...usage, bytes: usage.bytes + Math.ceil(size / blksize) * blksize, inodes: usage.inodes + 1 } };
    } catch (error) {
      const isOurs = isKind(error, 'internal') || isKind(error, 'cancelled');
      return { error, refused: error !== broke && !signal.aborted && !isOurs };
    } finally {
      oneMount?.close();
      for (const descriptor of [outline, twinDirectory]) if (descriptor !== undefined) closeSync(descriptor);
    }
  }

  /** A ledger row whose number names a directory that isn't there: after a lost database the numbers begin anew, the layers don't. */
  #announce(diffId: Digest): number {
    for (;;) {
      const seq = this.#journal.ledger.intend(diffId, ledgerKind, null);
      if (!existsSync(join(this.#layers, nameOf(seq)))) return seq;
      this.#journal.ledger.clear(seq);
    }
  }

  async #record(seq: number, expected: ExpectedLayer, usage: UnpackResult): Promise<LayerRecord> {
    const winner = this.get(expected.diffId); // the same layer from elsewhere may have been quicker
    if (winner !== undefined) {
      await this.#discard(seq);
      return winner;
    }
    const record: LayerRecord = { diffId: expected.diffId, name: nameOf(seq), ...usage, blob: expected.blob, blobSize: expected.size };
    this.#journal.transaction(() => {
      this.#journal.records.put(hexOf(expected.diffId), record);
      this.#journal.ledger.clear(seq);
    });
    return record;
  }

  async #discard(seq: number, name = nameOf(seq)): Promise<void> {
    this.#left.delete(seq);
    try {
      await atPoint('layer/discard', async () => {
        await removeLargeTree(join(this.#staging, name));
        await removeLargeTree(join(this.#layers, name));
        await removeTree(join(this.#outlines, name));
      });
      this.#journal.ledger.clear(seq);
    } catch (error) {
      this.#left.set(seq, name);
      throw error;
    }
  }

  async #syncToDisk(): Promise<void> {
    const fd = openSync(this.#layers, 'r');
    try {
      await libc.syncfsAside(fd);
    } catch (cause) {
      throw failure('internal', { act: 'write layers to disk', object: this.#layers, cause });
    } finally {
      closeSync(fd);
    }
  }
}

/** Directory names come from ledger numbers, which are never used twice. */
function nameOf(seq: number): string {
  return seq.toString(36);
}
