import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { AdminService } from '../../../gen/admin.ts';
import type { ClearedLeak, Debt, Leak, ListLeaksResponse } from '../../../gen/admin.ts';
import { UsageError } from '../arguments.ts';
import type { CriClient } from '../client.ts';
import { outputFlag, type Command } from '../command.ts';
import { humanAge, humanSize, shortId } from '../human.ts';
import { printable, say, wantsColour, write, type CliIo } from '../io.ts';
import { messageJson } from '../proto-json.ts';
import { tableLines } from '../table.ts';

/** Plugins and runtimes are asked to take their things away, one after the other, each with a deadline of its own. */
const clearDeadlineMs = 600_000;

export const leaks: Command = {
  name: 'leaks',
  summary: 'print what the host holds that no pod, container or image owns',
  usage: 'gantry leaks [flags]',
  details: [
    'The daemon looks around on the host; nothing is changed without --clear. What belongs to a pod, container or image that exists is no',
    'leak, nor is anything of another runtime or of another gantry with other directories. What could not be undone yet is listed too: the',
    'daemon tries that again by itself.',
  ].join('\n'),
  flags: [{ name: 'clear', help: 'remove what is listed, after asking' }, { name: 'yes', short: 'y', help: 'with --clear: do not ask' }, outputFlag],
  operands: [],
  examples: ['gantry leaks', 'gantry leaks --clear', 'gantry leaks --clear --yes -o json'],

  async run(args, { io, connect }) {
    const clears = args.on('clear');
    if (args.on('yes') && !clears) throw new UsageError('--yes goes with --clear');
    if (clears && !args.on('yes') && !isTerminal(io)) throw new UsageError('--clear asks on a terminal, and this is none: add --yes');
    const cri = await connect();
    const found = await cri.call(AdminService.listLeaks, {}, { act: 'look for leaks', deadlineMs: 60_000 });
    const asJson = args.text('output') === 'json';
    if (!asJson) await show(io, found);

    const cleared = clears && found.leaks.length > 0 && (args.on('yes') || await agrees(io, found.leaks.length)) ? await clear(cri, found.leaks) : [];
    if (asJson) await say(io, JSON.stringify(messageJson(clears ? { ...found, cleared } : found), null, 2));
    const failed = cleared.filter(({ error }) => error !== '');
    for (const { leak, error } of failed) await write(io.stderr, `${printable(`gantry leaks: clear ${leak?.kind} ${leak?.name}: ${error}`)}\n`);
    if (!asJson && cleared.length > 0) await say(io, `cleared ${cleared.length - failed.length} of ${found.leaks.length}`);
    return failed.length > 0 ? 1 : 0;
  },
};

async function clear(cri: CriClient, wanted: Leak[]): Promise<ClearedLeak[]> {
  return (await cri.call(AdminService.clearLeaks, { leaks: wanted }, { act: 'clear leaks', deadlineMs: clearDeadlineMs })).cleared;
}

async function show(io: CliIo, { leaks: found, debts, unseen }: ListLeaksResponse): Promise<void> {
  const now = Date.now();
  for (const sentence of unseen) await write(io.stderr, `${printable(`gantry leaks: could not look at ${sentence}`)}\n`);
  if (found.length === 0) await say(io, 'nothing has leaked');
  else await say(io, tableLines(['KIND', 'OWNER', 'AGE', 'SIZE', 'NAME'], found.map((leak) => leakRow(leak, now)), wantsColour(io)).join('\n'));
  if (debts.length > 0) await say(io, ['', ...tableLines(['STILL TO BE UNDONE', 'OWNER', 'AGE', 'TRIES', 'WAITS FOR'], debts.map((debt) => debtRow(debt, now)), wantsColour(io))].join('\n'));
}

function leakRow({ kind, name, owner, since, bytes }: Leak, now: number): string[] {
  return [kind, shortId(owner), humanAge(since, now), bytes === 0n ? '-' : humanSize(bytes), name];
}

function debtRow({ what, owner, since, tries, waitsFor }: Debt, now: number): string[] {
  return [what, shortId(owner), humanAge(since, now), String(tries), waitsFor];
}

function isTerminal({ stdin }: CliIo): boolean {
  return 'isTTY' in stdin && stdin.isTTY === true;
}

/** Anything but a yes is a no, the end of the input and an interrupt too. */
async function agrees(io: CliIo, count: number): Promise<boolean> {
  await write(io.stderr, `remove ${count === 1 ? 'this' : `these ${count} things`}? [y/N] `);
  const lines = createInterface({ input: io.stdin });
  try {
    const [line] = await Promise.race([once(lines, 'line', { signal: io.signal }), once(lines, 'close').then(() => [''])]) as [string];
    return /^y(es)?$/i.test(line.trim());
  } catch {
    return false;
  } finally {
    lines.close();
  }
}
