import { matchesStars } from '../../../base/star-pattern.ts';
import type { Image } from '../../../gen/cri.ts';
import { json } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { foundImage, imageLabels } from '../image-document.ts';
import type { ImageDocument } from '../image-document.ts';
import { imageSummary } from '../image-summary.ts';
import { momentIn, momentOf } from '../moments.ts';
import { Filters } from '../query.ts';

const known = ['reference', 'label', 'dangling', 'before', 'since', 'until'];

export const listImages: Endpoint = {
  route: 'GET /images/json',
  async answer({ engine, query, apiVersion, documents }) {
    const filters = new Filters(query, known);
    const images = await engine.images.list(undefined);
    const documentOf = await documents.ofAll(images.map(({ id }) => id));
    const created = async (name: string): Promise<bigint> => createdAt(await documents.of((await foundImage(engine.images, name)).image.id));
    const [before, since] = await Promise.all([filters.of('before'), filters.of('since')].map((names) => Promise.all(names.map(created))));
    const until = filters.of('until').flatMap((text) => momentIn(new URLSearchParams({ until: text }), 'until') ?? []);
    const wanted = images.filter((image) => {
      const document = documentOf.get(image.id);
      const at = createdAt(document);
      return filters.any('reference', (pattern) => fitsReference(pattern, image))
        && filters.any('dangling', (text) => (['true', '1'].includes(text)) === (image.repoTags.length === 0))
        && filters.labels(document === undefined ? {} : imageLabels(document))
        && [...before!, ...until].every((moment) => at < moment)
        && since!.every((moment) => at > moment);
    });
    return json(wanted.map((image) => imageSummary(image, documentOf.get(image.id), apiVersion)));
  },
};

function createdAt(document: ImageDocument | undefined): bigint {
  return momentOf(document?.created ?? '') ?? 0n;
}

/** As `docker images NAME`: whole, or without what Docker Hub makes default; a name without a tag is for all its tags. */
export function fitsReference(pattern: string, { repoTags, repoDigests }: Image): boolean {
  return [...repoTags, ...repoDigests].some((reference) => {
    const short = reference.replace(/^docker\.io\/(library\/)?/, '');
    return [reference, short].some((name) => matchesStars(pattern, name) || matchesStars(pattern, withoutTag(name)));
  });
}

function withoutTag(reference: string): string {
  return reference.replace(/(@.*|:[^:/]*)$/, '');
}
