import { AdoptionOutcome } from '../../gen/admin.ts';
import type { AdoptedImage } from '../../gen/admin.ts';
import type { Step } from '../migration.ts';

/** Images that are here need no network when their pods come back. One that cannot be adopted is pulled then. */
export const adoptImages: Step = {
  name: 'images',
  async plan({ outside, survey }) {
    if (!(await outside.gantry.answers())) return [`adopt the images of ${survey.images.root} (how many, the daemon can tell when it runs)`];
    const found = await all(outside.gantry.adopt({ ...survey.images, dryRun: true }));
    const planned = found.filter(({ outcome }) => outcome === AdoptionOutcome.ADOPTION_PLANNED);
    return [
      ...(planned.length === 0 ? [] : [`adopt these images of ${survey.images.root} (${planned.length}): ${planned.map(nameOf).join(', ')}`]),
      ...found.filter(({ outcome }) => outcome === AdoptionOutcome.ADOPTION_REFUSED).map((image) => `leave ${nameOf(image)}, which has to be pulled again: ${image.why}`),
    ];
  },
  async run({ outside, survey }) {
    let count = 0;
    for await (const image of outside.gantry.adopt({ ...survey.images, dryRun: false })) {
      if (image.outcome === AdoptionOutcome.ADOPTION_DONE) await outside.say(`  adopted ${nameOf(image)}`);
      if (image.outcome === AdoptionOutcome.ADOPTION_REFUSED) await outside.say(`  left ${nameOf(image)}, which has to be pulled again: ${image.why}`);
      count++;
    }
    if (count === 0) await outside.say(`  ${survey.images.root} has no images`);
  },
  async undo({ outside }) {
    await outside.say('  adopted images stay: they take hardly any place while the old runtime has them too (gantry image rm removes them)');
  },
};

async function all(images: AsyncIterable<AdoptedImage>): Promise<AdoptedImage[]> {
  const found: AdoptedImage[] = [];
  for await (const image of images) found.push(image);
  return found;
}

function nameOf({ names, id }: AdoptedImage): string {
  return names[0] ?? id;
}

/** The images that are not here and could be. */
export async function imagesLeft(images: AsyncIterable<AdoptedImage>): Promise<string[]> {
  return (await all(images)).filter(({ outcome }) => outcome === AdoptionOutcome.ADOPTION_PLANNED || outcome === AdoptionOutcome.ADOPTION_REFUSED).map(nameOf);
}
