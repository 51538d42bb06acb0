import type { Readable } from 'node:stream';
import { failure } from '../../../base/errors.ts';
import { ImageServiceService as imageService, type AuthConfig } from '../../../gen/cri.ts';
import { UsageError } from '../arguments.ts';
import type { Command } from '../command.ts';
import { imageSpec } from '../image-spec.ts';
import { say, type CliIo } from '../io.ts';
import { displayPull } from '../pull-display.ts';

/** Large images over slow links; the person who waits may interrupt earlier. */
const pullDeadlineMs = 60 * 60 * 1000;

export const pull: Command = {
  name: 'pull',
  summary: 'pull an image and print its id',
  usage: 'gantry pull [flags] IMAGE',
  details: [
    'Without --creds the daemon uses the credentials that this node is configured with. A password on the command line',
    'is seen by every user of the node: prefer `--creds -`, or set GANTRY_CREDS=USER:PASSWORD.',
  ].join('\n'),
  flags: [{ name: 'creds', value: 'USER:PASSWORD', help: 'credentials for the registry; - reads one line from stdin' }],
  operands: ['IMAGE'],
  examples: ['gantry pull registry.k8s.io/pause:3.10', 'gantry pull --creds - registry.example/team/app:1 < creds'],

  async run(args, { io, connect }) {
    const image = args.operands[0]!;
    const auth = await credentialsOf(args.text('creds'), io);
    const cri = await connect();
    const pulled = await displayPull({ io, cri, image }, () =>
      cri.call(
        imageService.pullImage,
        { image: imageSpec(image), auth, sandboxConfig: undefined },
        { act: 'pull image', object: image, deadlineMs: pullDeadlineMs },
      ),
    );

    await say(io, pulled.imageRef);
    return 0;
  },
};

async function credentialsOf(flag: string | undefined, io: CliIo): Promise<AuthConfig | undefined> {
  const text = flag === '-' ? await firstLine(io.stdin) : (flag ?? io.env['GANTRY_CREDS']);
  if (!text) {
    if (flag !== undefined) throw new UsageError('--creds wants USER:PASSWORD');
    return undefined;
  }
  const colon = text.indexOf(':');
  // The words themselves stay out of the message: they are secret.
  if (colon < 1) throw new UsageError(flag === undefined ? 'GANTRY_CREDS wants USER:PASSWORD' : '--creds wants USER:PASSWORD');
  return { username: text.slice(0, colon), password: text.slice(colon + 1), auth: '', serverAddress: '', identityToken: '', registryToken: '' };
}

async function firstLine(stdin: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.includes('\n')) break;
    if (text.length > 64 * 1024) throw failure('invalid-argument', { act: 'read credentials', why: 'the first line of stdin is longer than 64 KiB' });
  }
  return text.split('\n')[0]!.replace(/\r$/, '');
}
