import { AdminService as admin, AdoptionOutcome, type AdoptedImage } from '../../../../gen/admin.ts';
import { outputFlag, type Command } from '../../command.ts';
import { humanSize } from '../../human.ts';
import { say } from '../../io.ts';
import { messageJson } from '../../proto-json.ts';

export const adopt: Command = {
  name: 'image adopt',
  summary: 'take over the images that Docker or containerd has on this node',
  usage: 'gantry image adopt [flags]',
  details: [
    'Nothing is downloaded: layers are read where the other runtime has unpacked them, checked against their digests, and on the same',
    'filesystem shared by hard links, so that they take no place twice. The other runtime may run or be stopped, and keeps what it has;',
    'removing it later takes nothing from here. What is here already stays as it is: the command may be interrupted and repeated.',
  ].join('\n'),
  flags: [
    { name: 'from', value: 'RUNTIME', choices: ['docker', 'containerd'], help: 'docker (default) or containerd' },
    { name: 'root', value: 'DIR', help: 'its data root (default /var/lib/docker or /var/lib/containerd)' },
    { name: 'namespace', value: 'NAME', help: "containerd's namespace (default k8s.io)" },
    { name: 'dry-run', help: 'only print what would be adopted' },
    outputFlag,
  ],
  operands: [],
  examples: ['gantry image adopt --dry-run', 'gantry image adopt --from containerd'],

  async run(args, { io, connect }) {
    const cri = await connect();
    const request = { from: args.text('from') ?? 'docker', root: args.text('root') ?? '', namespace: args.text('namespace') ?? '', dryRun: args.on('dry-run') };
    const told: AdoptedImage[] = [];
    for await (const image of cri.stream(admin.adoptImages, request, { act: 'adopt images', object: `of ${request.from}` })) {
      told.push(image);
      if (args.text('output') !== 'json') await say(io, adoptionLine(image));
    }
    if (args.text('output') === 'json') await say(io, JSON.stringify({ images: told.map(messageJson) }, null, 2));
    else await say(io, totalLine(told));
    return told.some(({ outcome }) => outcome === AdoptionOutcome.ADOPTION_REFUSED) ? 1 : 0;
  },
};

/** `adopted   registry.example/web:1  3 new layers, 120 MB, 118 MB of it shared`. */
export function adoptionLine(image: AdoptedImage): string {
  const { names, id, newLayers, layers, bytes, linkedBytes, why } = image;
  const name = names.find((one) => !one.includes('@')) ?? names[0] ?? id;
  const words = wordOf[image.outcome];
  const counted = `${newLayers} of ${layers} layers new`;
  const said = {
    [AdoptionOutcome.ADOPTION_DONE]: `${counted}, ${humanSize(bytes)}, ${humanSize(linkedBytes)} of it shared`,
    [AdoptionOutcome.ADOPTION_PLANNED]: counted,
    [AdoptionOutcome.ADOPTION_HERE_ALREADY]: '',
    [AdoptionOutcome.ADOPTION_SKIPPED]: why,
    [AdoptionOutcome.ADOPTION_REFUSED]: why,
    [AdoptionOutcome.UNRECOGNIZED]: why,
  }[image.outcome];
  return `${words.padEnd(13)} ${name}${said === '' ? '' : `  ${said}`}`;
}

const wordOf = {
  [AdoptionOutcome.ADOPTION_DONE]: 'adopted',
  [AdoptionOutcome.ADOPTION_PLANNED]: 'would adopt',
  [AdoptionOutcome.ADOPTION_HERE_ALREADY]: 'here already',
  [AdoptionOutcome.ADOPTION_SKIPPED]: 'skipped',
  [AdoptionOutcome.ADOPTION_REFUSED]: 'refused',
  [AdoptionOutcome.UNRECOGNIZED]: 'unknown',
} as const;

function totalLine(images: readonly AdoptedImage[]): string {
  const count = (...outcomes: AdoptionOutcome[]): number => images.filter(({ outcome }) => outcomes.includes(outcome)).length;
  const sum = (of: (image: AdoptedImage) => bigint): bigint => images.reduce((total, image) => total + of(image), 0n);
  const planned = count(AdoptionOutcome.ADOPTION_PLANNED);
  const rest = `${count(AdoptionOutcome.ADOPTION_HERE_ALREADY)} here already, ${count(AdoptionOutcome.ADOPTION_SKIPPED)} skipped, ${count(AdoptionOutcome.ADOPTION_REFUSED)} refused`;
  if (planned > 0) return `${planned} would be adopted, ${rest}`;
  return `${count(AdoptionOutcome.ADOPTION_DONE)} adopted (${humanSize(sum(({ bytes }) => bytes))}, ${humanSize(sum(({ linkedBytes }) => linkedBytes))} of it shared), ${rest}`;
}
