import { AdminService as admin } from '../../../../gen/admin.ts';
import { toDirectory, toFile, toStdout } from '../../archive-output.ts';
import { UsageError } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { Progress } from '../../progress.ts';

const formats = ['docker-archive', 'oci-archive', 'oci-dir'] as const;

/** `save` and `export` differ in the format that people mean by them. */
function saving(word: 'save' | 'export', usual: (typeof formats)[number], example: string): Command {
  return {
    name: `image ${word}`,
    summary: `write images as one archive (${usual} unless told otherwise)`,
    usage: `gantry image ${word} [flags] IMAGE…`,
    details: [
      'Layers are written uncompressed, byte for byte as they were built: an image keeps its id wherever it is loaded. An image that is named',
      'by its id has no name in the archive.',
    ].join('\n'),
    flags: [
      { name: 'output', short: 'o', value: 'PATH', help: 'a file, or for oci-dir a new or empty directory (default stdout)' },
      { name: 'format', value: 'FORMAT', choices: formats, help: `${formats.join(', ')} (default ${usual})` },
    ],
    operands: ['IMAGE'],
    many: true,
    examples: [example, `gantry image ${word} web:1 db:2 | zstd > images.tar.zst`],

    async run(args, { io, connect }) {
      const format = args.text('format') ?? usual;
      const output = args.text('output');
      if (output === undefined && format === 'oci-dir') throw new UsageError('--format oci-dir wants a directory: --output PATH');
      if (output === undefined && io.stdoutIsTerminal) throw new UsageError('an archive is nothing for a terminal: name a file with --output, or use a pipe');
      const images = [...args.operands];
      const cri = await connect();
      const options = { act: 'save image', object: images.join(', ') };
      const answers = cri.stream(admin.saveImages, { images, format: format === 'oci-dir' ? 'oci-archive' : format }, options);
      const bytes = async function* (): AsyncGenerator<Uint8Array> {
        for await (const { data } of answers) yield data;
      };
      await new Progress(io).spin(`save ${options.object}`, async () => {
        if (output === undefined) await toStdout(io, bytes());
        else if (format === 'oci-dir') await toDirectory(output, bytes());
        else await toFile(output, bytes());
      });
      return 0;
    },
  };
}

export const save: Command = saving('save', 'docker-archive', 'gantry image save -o web.tar web:1');
export const exportImages: Command = saving('export', 'oci-archive', 'gantry image export --format oci-dir -o layout web:1');
