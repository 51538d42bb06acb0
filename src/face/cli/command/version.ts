import { RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import { outputFlag, type Command } from '../command.ts';
import { say } from '../io.ts';
import { messageJson } from '../proto-json.ts';

export const version: Command = {
  name: 'version',
  summary: 'print the versions of this program and of the runtime at the socket',
  usage: 'gantry version [flags]',
  flags: [outputFlag],
  operands: [],
  examples: ['gantry version'],

  async run(args, { io, connect }) {
    const client = { name: 'gantry', version: io.version, node: process.versions.node };
    const server = await (await connect()).call(runtime.version, { version: 'v1' }, { act: 'ask for the version' });

    if (args.text('output') === 'json') {
      await say(io, JSON.stringify({ client, runtime: messageJson(server) }, null, 2));
      return 0;
    }
    await say(io, `client:   gantry ${client.version} (node ${client.node})`);
    await say(io, `runtime:  ${server.runtimeName} ${server.runtimeVersion} (CRI ${server.runtimeApiVersion})`);
    return 0;
  },
};
