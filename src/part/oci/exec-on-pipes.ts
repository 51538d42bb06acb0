import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { unreadBytes } from '../../host/descriptor-stream.ts';
import type { Child, Stdio } from '../../host/spawn.ts';
import type { ExecFiles } from './exec-files.ts';
import type { ExecSessionRequest, StartedExec } from './exec-session.ts';
import { feedInput, OutputCopy } from './output-copy.ts';
import { complaintOf, drainMs, ofTheCommand, spawnExec } from './spawn-exec.ts';

/** Without a terminal: the command's streams are three pipes. */
export function startOnPipes(request: ExecSessionRequest, files: ExecFiles): StartedExec {
  const { streams, runtime } = request;
  const input: Stdio = streams.stdin !== undefined || runtime.chownsStreams ? 'pipe-in' : 'null';
  const child = spawnExec(request, { files, stdio: [input, 'pipe-out', 'pipe-out'] });
  const [stdin, stdout, stderr] = child.streams as [Socket | undefined, Socket, Socket];
  if (stdin !== undefined && streams.stdin !== undefined) feedInput(streams.stdin, stdin);
  else stdin?.on('error', () => {}).end();
  const copies = [new OutputCopy(stdout, streams.stdout)];
  const errors = copyErrors({ stderr, child, files, exec: request }).then((copy) => copy !== undefined && copies.push(copy));
  const finish = async (): Promise<number> => {
    const { code } = await child.exited;
    await errors;
    if (files.pid() === undefined) return code;
    await Promise.race([Promise.all(copies.map(({ ended }) => ended)), sleep(drainMs)]);
    // A process that was left behind may hold the pipes open and go on writing: of that, what is there by now.
    await Promise.all([stdout, stderr].map((source, n) => copies[n]?.settle(unreadBytes(source))));
    return code;
  };
  return {
    finished: finish(),
    exited: child.exited,
    complaint: () => complaintOf(stderr),
    hangUp: () => {
      stdin?.destroy();
      for (const copy of copies) copy.discard();
    },
    kill: () => child.kill('SIGKILL'),
    close: () => child.streams.forEach((stream) => stream?.destroy()),
  };
}

/** Undefined when the command never ran: what is there then is the runtime's complaint. */
async function copyErrors({ stderr, child, files, exec }: { stderr: Socket; child: Child; files: ExecFiles; exec: ExecSessionRequest }): Promise<OutputCopy | undefined> {
  if (!(await ofTheCommand(stderr, { child, files }))) return undefined;
  const copy = new OutputCopy(stderr, exec.streams.stderr);
  if (exec.signal.aborted) copy.discard();
  return copy;
}
