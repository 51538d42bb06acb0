import { ImageServiceService as imageService, RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import type { FilesystemUsage, ImageFsInfoResponse, StatusResponse } from '../../../gen/cri.ts';
import { outputFlag, type Command } from '../command.ts';
import { humanSize } from '../human.ts';
import { say, wantsColour, type CliIo } from '../io.ts';
import { infoJson, messageJson } from '../proto-json.ts';
import { tableLines, type Cell } from '../table.ts';

export const info: Command = {
  name: 'info',
  summary: 'print what this node can do: conditions, handlers, features, storage',
  usage: 'gantry info [flags]',
  flags: [outputFlag],
  operands: [],
  examples: ['gantry info', "gantry info -o json | jq '.status.conditions'"],

  async run(args, { io, connect }) {
    const cri = await connect();
    const status = await cri.call(runtime.status, { verbose: true }, { act: 'ask for the status' });
    const storage = await cri.call(imageService.imageFsInfo, {}, { act: 'ask for the storage used' });

    if (args.text('output') === 'json') {
      const { info: details, ...message } = status;
      await say(io, JSON.stringify({ ...(messageJson(message) as object), info: infoJson(details), storage: messageJson(storage) }, null, 2));
    } else {
      await printSections(io, status, storage);
    }
    return 0;
  },
};

async function printSections(io: CliIo, status: StatusResponse, storage: ImageFsInfoResponse): Promise<void> {
  const table = async (header: string[], rows: (string | Cell)[][]) => {
    if (rows.length === 0) return;
    for (const line of tableLines(header, rows, wantsColour(io))) await say(io, line);
    await say(io, '');
  };
  const yes = (value: boolean | undefined): Cell => (value ? { text: 'yes', tone: 'good' } : { text: 'no', tone: 'dim' });

  await table(
    ['CONDITION', 'STATE', 'WHY'],
    (status.status?.conditions ?? []).map((one) => [
      one.type,
      one.status ? { text: 'ok', tone: 'good' } : { text: 'not ok', tone: 'bad' },
      [one.reason, one.message].filter(Boolean).join(': '),
    ]),
  );
  await table(
    ['HANDLER', 'USER NAMESPACES', 'RECURSIVE READ-ONLY'],
    status.runtimeHandlers.map((one) => [one.name || '(default)', yes(one.features?.userNamespaces), yes(one.features?.recursiveReadOnlyMounts)]),
  );
  await table(
    ['FEATURE', 'OFFERED'],
    Object.entries(status.features ?? {}).map(([name, offered]) => [name, yes(offered as boolean)]),
  );
  await table(['CHECKPOINTS', 'STATE'], checkpointRows(status.info['checkpoint'], (text) => ({ text, tone: text === 'works' ? 'good' : 'dim' })));
  const usage = (what: string) => (one: FilesystemUsage) => [what, one.fsId?.mountpoint ?? '', humanSize(one.usedBytes?.value ?? 0n), String(one.inodesUsed?.value ?? '')];
  await table(['STORAGE', 'PATH', 'USED', 'INODES'], [
    ...storage.imageFilesystems.map(usage('images')),
    ...storage.containerFilesystems.map(usage('containers')),
  ]);
}

/** Whether containers of a handler can be written down and restored, or what is missing; nothing for a runtime that does not tell. */
function checkpointRows(told: string | undefined, cell: (text: string) => Cell): (string | Cell)[][] {
  const { handlers = {} } = JSON.parse(told ?? '{}') as { handlers?: Record<string, string> };
  return Object.entries(handlers).map(([name, state]) => [name, cell(state)]);
}
