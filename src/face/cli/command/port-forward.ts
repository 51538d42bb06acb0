import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import { isKind, messageOf } from '../../../base/errors.ts';
import { RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import type { CriClient } from '../client.ts';
import type { Command } from '../command.ts';
import { findOne, type Findable } from '../find.ts';
import { listPods } from '../inventory.ts';
import { printable, say, type CliIo } from '../io.ts';
import { forwardConnection } from '../session/forward-connection.ts';
import { addressesOf, listenLocal, type LocalPort } from '../session/listen-local.ts';
import { parsePortSpec, type PortSpec } from '../session/port-spec.ts';

const act = 'forward port of pod';

export const portForward: Command = {
  name: 'port-forward',
  summary: 'forward local ports to a pod',
  usage: 'gantry port-forward [flags] POD [LOCAL:]REMOTE…',
  details: 'Listens on 127.0.0.1 and ::1 until Ctrl-C, or until the pod is gone. A port that nobody listens on in the pod is told, and leaves the others alone.',
  flags: [{ name: 'address', value: 'ADDRESS,…', help: 'listen there (default localhost)' }],
  operands: ['POD', 'PORT'],
  many: true,
  examples: ['gantry port-forward web 8080:80', 'gantry port-forward --address 0.0.0.0 web 8080:80 :9090'],

  async run(args, { io, connect }) {
    const [word, ...texts] = args.operands;
    const specs = texts.map(parsePortSpec);
    const cri = await connect();
    const pod = findOne(word!.replace(/^pods?\//, ''), await listPods(cri), act);
    await urlFor(cri, pod, specs[0]!.remote); // what is refused is refused before anybody connects
    return forward({ cri, pod, io, addresses: addressesOf(args.text('address') ?? 'localhost') }, specs);
  },
};

interface Forwarding {
  readonly cri: CriClient;
  readonly pod: Findable;
  readonly io: CliIo;
  readonly addresses: readonly string[];
}

async function forward({ cri, pod, io, addresses }: Forwarding, specs: readonly PortSpec[]): Promise<number> {
  const complain = (message: string): void => void io.stderr.write(`gantry port-forward: ${printable(message)}\n`);
  const { promise: podGone, reject: endAll } = Promise.withResolvers<never>();
  podGone.catch(() => {}); // may come when nobody waits any more
  const ports: LocalPort[] = [];
  const sockets = new Set<Socket>();
  setMaxListeners(0, io.signal); // each connection listens

  const serve = async (socket: Socket, port: number): Promise<void> => {
    sockets.add(socket);
    socket.on('error', () => {}); // its end is what counts
    socket.once('close', () => sockets.delete(socket));
    const local = socket.localPort;
    await say(io, `Handling connection for ${local}`);
    try {
      const url = await urlFor(cri, pod, port).catch((error: unknown) => {
        if (isKind(error, 'not-found') || isKind(error, 'failed-precondition')) endAll(error);
        throw error;
      });
      const complaint = await forwardConnection(socket, { url, port, act, object: pod.title, signal: io.signal });
      if (complaint !== '') complain(`connection for ${local}: ${complaint}`);
    } catch (error) {
      if (!io.signal.aborted) complain(`connection for ${local}: ${messageOf(error)}`);
      socket.destroy();
    }
  };

  try {
    for (const { local, remote } of specs) {
      const opened = await listenLocal({ addresses, port: local, complain, take: (socket) => void serve(socket, remote) });
      ports.push(...opened);
      for (const { name } of opened) await say(io, `Forwarding from ${name} -> ${remote}`);
    }
    if (ports.length === 0) return 1;
    await Promise.race([podGone, aborted(io.signal)]);
    return 0;
  } finally {
    for (const { server } of ports) server.close();
    for (const socket of sockets) socket.destroy();
  }
}

async function urlFor(cri: CriClient, pod: Findable, port: number): Promise<string> {
  return (await cri.call(runtime.portForward, { podSandboxId: pod.id, port: [port] }, { act, object: pod.title })).url;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
