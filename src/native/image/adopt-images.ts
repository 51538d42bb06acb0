/** Images that another runtime of this node has become ours where they lie: read from top to bottom. */
import { failure, isKind, messageOf } from '../../base/errors.ts';
import type { CallContext, ImageSource } from '../../engine/engine.ts';
import { AdoptionOutcome } from '../../gen/admin.ts';
import type { AdoptedImage } from '../../gen/admin.ts';
import { parseReference, repoDigestOf, repoTagOf } from '../../part/registry/reference.ts';
import { checkForeignPolicy } from './check-policy.ts';
import { openForeignImages } from './foreign-images.ts';
import type { ForeignImage, ReadableImage } from './foreign-images.ts';
import type { ImageDeps } from './image-deps.ts';
import { storeImage } from './store-image.ts';

type Verdict = Pick<AdoptedImage, 'outcome'> & Partial<AdoptedImage>;

export async function* adoptImages(deps: ImageDeps, source: ImageSource, ctx: CallContext): AsyncGenerator<AdoptedImage> {
  const images = await ctx.stages.run('open', () => openForeignImages(deps, source));
  for (const image of images) {
    if (ctx.signal.aborted) throw failure('cancelled', { act: 'adopt images' });
    const verdict = await ctx.stages.run('adopt', () => judge(deps, { image, dryRun: source.dryRun, ctx }));
    yield { id: image.calledBy, names: [...image.names], why: '', layers: 0, newLayers: 0, bytes: 0n, linkedBytes: 0n, total: images.length, ...verdict };
  }
}

interface Adoption {
  readonly image: ForeignImage;
  readonly dryRun: boolean;
  readonly ctx: CallContext;
}

/** Adopts an image. What is wrong with this one is told in the answer; what would be wrong with all is thrown. */
async function judge(deps: ImageDeps, adoption: Adoption): Promise<Verdict> {
  if (adoption.image.names.length === 0) return { outcome: AdoptionOutcome.ADOPTION_SKIPPED, why: 'it has no name' };
  try {
    return await adopt(deps, adoption);
  } catch (error) {
    if (['cancelled', 'resource-exhausted', 'internal'].some((kind) => isKind(error, kind as 'internal'))) throw error;
    const outcome = isKind(error, 'not-found') ? AdoptionOutcome.ADOPTION_SKIPPED : AdoptionOutcome.ADOPTION_REFUSED;
    return { outcome, why: messageOf(error) };
  }
}

async function adopt(deps: ImageDeps, { image, dryRun, ctx }: Adoption): Promise<Verdict> {
  const found = await image.read();
  const names = namesFor(deps, image.names, found);
  await checkForeignPolicy(deps.trustFiles, names.all[0] ?? found.config.digest);
  const missing = found.layers.filter(({ diffId }) => deps.layers.get(diffId) === undefined);
  const told = { id: found.config.digest, names: names.all, layers: found.layers.length, newLayers: missing.length };

  if (missing.length === 0 && names.repoTags.length + names.repoDigests.length === 0 && deps.records.get(found.config.digest) !== undefined) return { ...told, outcome: AdoptionOutcome.ADOPTION_HERE_ALREADY };
  if (dryRun) {
    for (const layer of missing) await layer.source(ctx.signal); // finds what is not there
    return { ...told, outcome: AdoptionOutcome.ADOPTION_PLANNED };
  }
  await storeImage(deps, { ...found, ...names }, ctx.signal);
  const stored = missing.map(({ diffId }) => deps.layers.get(diffId));
  return {
    ...told, outcome: AdoptionOutcome.ADOPTION_DONE,
    bytes: stored.reduce((sum, layer) => sum + BigInt(layer?.bytes ?? 0), 0n),
    linkedBytes: stored.reduce((sum, layer) => sum + BigInt(layer?.linkedBytes ?? 0), 0n),
  };
}

/**
 * The names that the image is to have here and has not yet. A tag that another image has here stays with that: it was pulled by us, and later. A digest
 * is what the other runtime found at the registry; the pods that name it find their image by it without asking there.
 */
function namesFor(deps: ImageDeps, written: readonly string[], { config }: ReadableImage): { repoTags: string[]; repoDigests: string[]; all: string[] } {
  const references = written.map((name) => parseReference(name));
  const tags = [...new Set(references.flatMap((reference) => (reference.digest === undefined ? repoTagOf(reference) ?? [] : [])))];
  const digests = [...new Set(references.flatMap((reference) => (reference.digest === undefined ? [] : [repoDigestOf(reference, reference.digest)])))];
  const known = deps.records.get(config.digest);
  return {
    repoTags: tags.filter((tag) => deps.records.tagged(tag) === undefined),
    repoDigests: digests.filter((digest) => known?.repoDigests.includes(digest) !== true),
    all: [...tags, ...digests],
  };
}
