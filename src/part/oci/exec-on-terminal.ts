import { closeSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConsoleSocket } from '../../host/console-socket.ts';
import type { Child } from '../../host/spawn.ts';
import { openRawTerminal, openTerminal } from '../../host/terminal.ts';
import type { Terminal } from '../../host/terminal.ts';
import type { ExecFiles } from './exec-files.ts';
import type { ExecSessionRequest, StartedExec } from './exec-session.ts';
import { feedInput, OutputCopy } from './output-copy.ts';
import { complaintOf, ofTheCommand, spawnExec } from './spawn-exec.ts';
import type { TerminalSizes } from './terminal-sizes.ts';

/** How long after the command's end its terminal may still be on the way to us. */
const lateTerminalMs = 1000;

interface OnTerminal {
  readonly child: Child;
  /** Undefined when the runtime ended without having made one. */
  readonly terminal: Promise<Terminal | undefined>;
  /** Tells the runtime that its terminal has a new size, where it cannot know. */
  readonly resized: () => void;
  readonly close: () => void;
}

/** With a terminal: the command's streams are a pseudo-terminal of the container. */
export async function startOnTerminal(request: ExecSessionRequest, files: ExecFiles, sizes: TerminalSizes): Promise<StartedExec> {
  const { child, terminal, resized, close } = request.runtime.sendsTerminal ? await receiveTerminal(request, files) : lendTerminal(request, { files, sizes });
  const stderr = child.streams[2];
  let copy: OutputCopy | undefined;
  let hungUp = false;
  const joined = terminal.then(async (opened) => {
    if (opened === undefined || hungUp) return opened?.destroy();
    opened.on('error', () => {});
    sizes.tell((size) => {
      opened.resize(size);
      resized();
    });
    if (request.streams.stdin !== undefined) feedInput(request.streams.stdin, opened);
    if (await ofTheCommand(opened, { child, files })) copy = new OutputCopy(opened, request.streams.stdout);
  });
  const finish = async (): Promise<number> => {
    const [{ code }] = await Promise.all([child.exited, joined]);
    // The kernel ends the terminal with the process that it was made for, whoever else has it open.
    await copy?.ended;
    return code;
  };
  const end = (): void => {
    hungUp = true;
    sizes.silence();
    void terminal.then((opened) => opened?.destroy(), () => {});
  };
  return {
    finished: finish(),
    exited: child.exited,
    complaint: async () => plain(`${stderr === undefined ? '' : await complaintOf(stderr)}${await terminal.then((opened) => opened === undefined ? '' : complaintOf(opened))}`),
    hangUp: end,
    kill: () => child.kill('SIGKILL'),
    close: () => {
      end();
      close();
      for (const stream of child.streams) stream?.destroy();
    },
  };
}

/** On a terminal crun complains in colour and with the time. */
function plain(complaint: string): string {
  // eslint-disable-next-line no-control-regex
  return complaint.replace(/\x1b\[[0-9;]*m/g, '').replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z: /gm, '');
}

/** crun makes the terminal, sends it, and waits for the command. */
async function receiveTerminal(request: ExecSessionRequest, files: ExecFiles): Promise<OnTerminal> {
  const socket = await ConsoleSocket.listen(files.consoleSocket);
  try {
    // It may make the container's user the owner of these two (without-dev-null.ts), so they are nobody else's.
    const child = spawnExec(request, { files, stdio: ['pipe-in', 'pipe-out', 'pipe-out'], options: ['--console-socket', basename(files.consoleSocket)] });
    const withoutOne = child.exited.then(() => sleep(files.pid() === undefined ? 0 : lateTerminalMs, undefined, { ref: false }));
    return { child, terminal: Promise.race([socket.terminal, withoutOne]), resized: () => {}, close: () => socket.close() };
  } catch (error) {
    socket.close();
    throw error;
  }
}

/**
 * runc keeps the container's terminal and copies between it and the one it was started on: it gets one of ours. To a command in a gVisor
 * sandbox ours is the terminal itself, as all three of its streams: gVisor takes any one of the three, by chance, for the terminal of all.
 */
function lendTerminal(request: ExecSessionRequest, { files, sizes }: { files: ExecFiles; sizes: TerminalSizes }): OnTerminal {
  const sandboxed = request.runtime.sandbox !== undefined;
  const { terminal, slave } = sandboxed ? openTerminal() : openRawTerminal();
  try {
    if (sizes.latest !== undefined) terminal.resize(sizes.latest);
    const child = spawnExec(request, { files, stdio: [slave, slave, sandboxed ? slave : 'pipe-out'] });
    return { child, terminal: Promise.resolve(terminal), resized: () => child.kill('SIGWINCH'), close: () => {} };
  } catch (error) {
    terminal.destroy();
    throw error;
  } finally {
    closeSync(slave);
  }
}
