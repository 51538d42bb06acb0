import { AdminService as admin, type LoadImagesRequest } from '../../../../gen/admin.ts';
import { archiveBytes } from '../../archive-input.ts';
import type { Command } from '../../command.ts';
import { say } from '../../io.ts';
import { Progress } from '../../progress.ts';

/** `load` and `import` are one: people look for either, and the archive tells what it is. */
function loading(word: 'load' | 'import', example: string): Command {
  return {
    name: `image ${word}`,
    summary: 'load the images of an archive',
    usage: `gantry image ${word} [flags] [PATH…]`,
    details: [
      'Takes docker-archive (docker save), oci-archive, and directories that are OCI image layouts, compressed or not: the archive',
      'tells what it is. Without PATH, or with -, it is read from stdin. Each image is loaded wholly or not at all.',
    ].join('\n'),
    flags: [{ name: 'name', value: 'NAME', help: "what the archive's only image is to be called" }],
    operands: [],
    many: true,
    examples: [example, `docker save web:1 | gantry image ${word}`],

    async run(args, { io, connect }) {
      const sources = args.operands.length === 0 ? ['-'] : args.operands;
      for (const source of sources) {
        const bytes = await archiveBytes(source, io);
        const cri = await connect();
        const options = { act: 'load image', object: source === '-' ? 'from stdin' : source };
        const { images } = await new Progress(io).spin(`load ${options.object}`, () => cri.upload(admin.loadImages, requests(bytes, args.text('name') ?? ''), options));
        for (const { id, names } of images) await say(io, names.length === 0 ? id : names.join('\n'));
      }
      return 0;
    },
  };
}

async function* requests(bytes: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<LoadImagesRequest> {
  for await (const data of bytes) yield { name, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength) };
}

export const load: Command = loading('load', 'gantry image load web.tar');
export const importImages: Command = loading('import', 'gantry image import --name registry.example/web:1 layout/');
