/** Local ends of forwarded ports. */
import net, { type Server, type Socket } from 'node:net';
import { hasCode } from '../../../base/errors.ts';

export interface LocalPort {
  /** As people write it: `127.0.0.1:8080`, `[::1]:8080`. */
  readonly name: string;
  readonly port: number;
  readonly server: Server;
}

/** What `--address` means: addresses with commas between them, of which `localhost` is 127.0.0.1 and ::1. */
export function addressesOf(text: string): string[] {
  return [...new Set(text.split(',').flatMap((one) => (one === 'localhost' ? ['127.0.0.1', '::1'] : [one])))];
}

/**
 * Listens on a port of each address; 0 is a free port, the same on all. Where it can't, `complain` is told, and the others
 * go on; a machine without IPv6 is nothing to complain of.
 */
export async function listenLocal({ addresses, port, take, complain }: {
  readonly addresses: readonly string[];
  readonly port: number;
  take(socket: Socket): void;
  complain(message: string): void;
}): Promise<LocalPort[]> {
  const open: LocalPort[] = [];
  for (const host of addresses) {
    const wanted = open[0]?.port ?? port;
    try {
      const server = await listen(host, wanted, take);
      const { port: got } = server.address() as net.AddressInfo;
      open.push({ name: nameOf(host, got), port: got, server });
    } catch (error) {
      if (host === '::1' && (hasCode(error, 'EADDRNOTAVAIL') || hasCode(error, 'EAFNOSUPPORT'))) continue;
      complain(`can't listen on ${nameOf(host, wanted)}: ${reasonOf(error)}`);
    }
  }
  return open;
}

function listen(host: string, port: number, take: (socket: Socket) => void): Promise<Server> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, take);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, ipv6Only: true }, () => resolve(server));
  });
}

function nameOf(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function reasonOf(error: unknown): string {
  if (hasCode(error, 'EADDRINUSE')) return 'something else listens there';
  if (hasCode(error, 'EACCES')) return 'permission denied: ports below 1024 belong to root';
  if (hasCode(error, 'EADDRNOTAVAIL')) return 'this machine does not have the address';
  return (error as Error).message;
}
