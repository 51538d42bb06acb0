/** An engine whose containers are this machine: exec starts a program, attach joins an echo, port-forward connects to loopback. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { finished, pipeline } from 'node:stream/promises';
import type { Duplex } from 'node:stream';
import { failure } from '../../base/errors.ts';
import type { SessionStreams, StreamEngine, TerminalSize } from '../../engine/stream-engine.ts';

export interface LocalPrograms extends StreamEngine {
  /** The sizes that came, over all sessions. */
  readonly sizes: TerminalSize[];
  /** Why sessions were aborted. */
  readonly aborted: string[];
  /** Programs and connections that were begun and have not ended. */
  going: number;
}

export function localPrograms(): LocalPrograms {
  const sizes: TerminalSize[] = [];
  const aborted: string[] = [];

  const resized = async ({ resizes }: SessionStreams): Promise<void> => {
    for await (const size of resizes) sizes.push(size);
  };
  const engine: LocalPrograms = {
    sizes, aborted, going: 0,
    admitExec: async ({ containerId }) => containerId,
    async exec({ containerId, command: [program = '', ...args] }, streams, { signal }) {
      if (containerId === 'dead') throw failure('failed-precondition', { act: 'exec in container', object: containerId, why: 'it has exited' });
      void resized(streams);
      const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
      const kill = (): void => {
        aborted.push(String((signal.reason as Error).message));
        child.kill('SIGKILL');
      };
      if (signal.aborted) kill();
      else signal.addEventListener('abort', kill);
      engine.going++;
      try {
        if (streams.stdin === undefined) child.stdin.end();
        else void pipeline(streams.stdin, child.stdin).catch(() => {});
        const outputs = [[child.stdout, streams.stdout], [child.stderr, streams.stderr]] as const;
        const copied = outputs.map(([from, to]) => (to === undefined ? finished(from.resume()) : pipeline(from, to)).catch(() => {}));
        const [code, ended] = await once(child, 'exit') as [number | null, string | null];
        await Promise.all(copied);
        signal.throwIfAborted();
        return code ?? (ended === 'SIGKILL' ? 137 : 143);
      } finally {
        engine.going--;
      }
    },
    admitAttach: async (id) => ({ id, tty: true, stdin: true }),
    async attach(_id, streams, { signal }) {
      void resized(streams);
      engine.going++;
      const over = once(signal, 'abort').then(() => aborted.push(String((signal.reason as Error).message)));
      streams.stdout?.write('attached\n');
      const echoed = streams.stdin === undefined ? over : pipeline(streams.stdin, streams.stdout!, { signal }).catch(() => {});
      await Promise.race([over, echoed]);
      engine.going--;
    },
    admitPortForward: async (id) => id,
    async portForward(podId, port): Promise<Duplex> {
      const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
      try {
        await once(socket, 'connect');
      } catch (cause) {
        throw failure('unavailable', { act: `connect to port ${port} of pod`, object: podId, why: 'nobody listens there', cause });
      }
      engine.going++;
      socket.on('close', () => engine.going--);
      return socket;
    },
  };
  return engine;
}
