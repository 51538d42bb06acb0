/** What an image's configuration says (OCI image-spec, config.md), read from the verbose status. */
import { failure } from '../../base/errors.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Image } from '../../gen/cri.ts';
import { memberAt, parsed, textAt, textsAt } from './runtime-facts.ts';

export interface ImageDocument {
  /** RFC 3339; empty when it is not said. */
  readonly created: string;
  readonly author: string;
  readonly architecture: string;
  readonly variant: string;
  readonly os: string;
  /** Diff ids, lowest first. */
  readonly layers: readonly string[];
  readonly history: readonly HistoryEntry[];
  /** User, Env, Entrypoint, … as they are written. */
  readonly config: Readonly<Record<string, unknown>>;
}

export interface HistoryEntry {
  readonly created: string;
  readonly createdBy: string;
  readonly comment: string;
  /** It changed no file, and no layer goes with it. */
  readonly empty: boolean;
}

/** Of the image with this id; gone meanwhile is not-found. */
export async function imageDocument(images: Engine['images'], id: string): Promise<ImageDocument> {
  const { info } = await foundImage(images, id, true);
  const document = memberAt(parsed(info['info']), 'imageSpec');
  const history = memberAt(document, 'history');
  return {
    created: textAt(document, 'created'),
    author: textAt(document, 'author'),
    architecture: textAt(document, 'architecture'),
    variant: textAt(document, 'variant'),
    os: textAt(document, 'os'),
    layers: textsAt(document, 'rootfs', 'diff_ids'),
    history: (Array.isArray(history) ? history : []).map(historyEntry),
    config: asRecord(memberAt(document, 'config')),
  };
}

/** Unknown is not-found, in Docker's words. */
export async function foundImage(images: Engine['images'], name: string, verbose = false): Promise<{ image: Image; info: Readonly<Record<string, string>> }> {
  const found = await images.status({ image: name, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' }, verbose);
  if (found === undefined) throw failure('not-found', { act: 'No such image', why: name });
  return found;
}

export function imageLabels({ config }: ImageDocument): Record<string, string> {
  return Object.fromEntries(Object.entries(asRecord(config['Labels'])).filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
}

function historyEntry(entry: unknown): HistoryEntry {
  return { created: textAt(entry, 'created'), createdBy: textAt(entry, 'created_by'), comment: textAt(entry, 'comment'), empty: memberAt(entry, 'empty_layer') === true };
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
