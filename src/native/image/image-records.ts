/** What is kept of an image, and finding it by whatever people and the kubelet call it. */
import type { Digest } from '../../base/digest.ts';
import { failure, isKind } from '../../base/errors.ts';
import type { ImageRunConfig } from '../../part/content/image-document.ts';
import { formatReference, nameOf, parseReference, repoDigestOf, repoTagOf } from '../../part/registry/reference.ts';
import type { ImageReference } from '../../part/registry/reference.ts';
import type { Table } from '../../part/store/store.ts';
import type { ImageSpec } from '../../gen/cri.ts';

export interface ImageRecord {
  /** The digest of its configuration: one identity in every call, whichever registry or manifest it came through. */
  readonly id: Digest;
  /** Complete names with tags. A tag belongs to one image at a time. */
  readonly repoTags: readonly string[];
  /** Complete names with the digest that the registry answered with (of the index, where there was one). */
  readonly repoDigests: readonly string[];
  /** Complete names that people and the kubelet use for it, and registries.conf takes for others. */
  readonly pulledAs?: readonly string[];
  /** Diff ids, lowest first. */
  readonly layers: readonly Digest[];
  /** Manifests, indexes and the configuration, kept in the content store. */
  readonly documents: readonly { readonly digest: Digest; readonly size: number }[];
  /** How its containers run unless told otherwise: in the record, so that making a container reads nothing. */
  readonly config: ImageRunConfig;
  /** The spec of the latest pull, echoed in statuses. */
  readonly spec: ImageSpec;
  /** Nanoseconds since the epoch, of the latest pull. */
  readonly pulledAt: bigint;
}

/** A prefix of an image id that people type; shorter ones are more likely names. */
const idPrefixForm = /^(?:sha256:)?([0-9a-f]{3,64})$/;

export class ImageRecords {
  readonly #table: Table<ImageRecord>;

  constructor(table: Table<ImageRecord>) {
    this.#table = table;
  }

  all(): ImageRecord[] {
    return this.#table.all();
  }

  get(id: Digest): ImageRecord | undefined {
    return this.#table.get(id);
  }

  put(record: ImageRecord): void {
    this.#table.put(record.id, record);
  }

  delete(id: Digest): void {
    this.#table.delete(id);
  }

  /**
   * The image of an id (with or without `sha256:`, or a prefix of at least three digits), or of a name with tag or digest. An
   * ambiguous prefix is invalid-argument; a text that names nothing is undefined.
   */
  find(text: string): ImageRecord | undefined {
    return this.#byId(text) ?? this.#byName(text) ?? this.#byIdPrefix(text);
  }

  /** The image that has this tag now. */
  tagged(repoTag: string): ImageRecord | undefined {
    return this.all().find((record) => record.repoTags.includes(repoTag));
  }

  /** The image that was last pulled under this name, which stood for another. */
  calledAs(name: string): ImageRecord | undefined {
    return this.all().find((record) => record.pulledAs?.includes(name) === true);
  }

  #byId(text: string): ImageRecord | undefined {
    return this.#table.get(text.startsWith('sha256:') ? text : `sha256:${text}`);
  }

  #byName(text: string): ImageRecord | undefined {
    const reference = tryParse(text);
    if (reference === undefined) return undefined;
    return this.#byOwnName(reference) ?? this.calledAs(formatReference(reference));
  }

  #byOwnName(reference: ImageReference): ImageRecord | undefined {
    if (reference.digest !== undefined) {
      const repoDigest = repoDigestOf(reference, reference.digest);
      return this.all().find((record) => record.repoDigests.includes(repoDigest));
    }
    return this.tagged(repoTagOf(reference) ?? nameOf(reference));
  }

  #byIdPrefix(text: string): ImageRecord | undefined {
    const prefix = idPrefixForm.exec(text)?.[1];
    if (prefix === undefined) return undefined;
    const fitting = this.all().filter((record) => record.id.startsWith(`sha256:${prefix}`));
    if (fitting.length > 1) throw failure('invalid-argument', { act: 'find image', object: JSON.stringify(text), why: `it is the beginning of ${fitting.length} image ids` });
    return fitting[0];
  }
}

function tryParse(text: string): ImageReference | undefined {
  try {
    return parseReference(text);
  } catch (error) {
    if (isKind(error, 'invalid-argument')) return undefined;
    throw error;
  }
}
