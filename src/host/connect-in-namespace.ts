/**
 * TCP connections that begin in another network namespace, without a process or a thread in it: a socket belongs for life to the namespace
 * it was made in, wherever its maker stands when it connects.
 */
import { isIPv6, Socket } from 'node:net';
import { failure, hasCode, isKind } from '../base/errors.ts';
import { AF_INET, AF_INET6, libc, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from './libc.ts';
import { inNetworkNamespace } from './namespaces.ts';

export interface LoopbackTarget {
  /** Where the namespace is pinned; undefined: the one that we are in. */
  readonly namespace: string | undefined;
  readonly port: number;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/**
 * Connects to a port of the namespace's own loopback: 127.0.0.1, and where that fails ::1. Both ways of the connection end each on their
 * own. It is destroyed when the signal is aborted (before it is there: cancelled). Nobody listens on either: an error with the
 * code ECONNREFUSED; no answer in time: deadline-exceeded.
 */
export async function connectToLoopback(target: LoopbackTarget): Promise<Socket> {
  try {
    return await connect(target, AF_INET, '127.0.0.1');
  } catch (error) {
    if (target.signal.aborted || hasCode(error, 'EMFILE') || isKind(error, 'deadline-exceeded')) throw error;
    return await connect(target, AF_INET6, '::1').catch((second: unknown) => {
      throw isWithoutIpv6(second) ? error : second;
    });
  }
}

/** With IPv6 off there is no such family, or no such address. */
function isWithoutIpv6(error: unknown): boolean {
  return hasCode(error, 'EAFNOSUPPORT') || hasCode(error, 'EADDRNOTAVAIL') || hasCode(error, 'ENETUNREACH');
}

/** As `connectToLoopback`, to one address as it is seen from where we are. */
export async function connectToAddress(target: Omit<LoopbackTarget, 'namespace'>, address: string): Promise<Socket> {
  return await connect({ ...target, namespace: undefined }, isIPv6(address) ? AF_INET6 : AF_INET, address);
}

async function connect({ namespace, port, deadlineMs, signal }: LoopbackTarget, family: number, host: string): Promise<Socket> {
  const act = `connect to ${isIPv6(host) ? `[${host}]` : host}:${port}`;
  if (signal.aborted) throw failure('cancelled', { act, why: 'the caller went away' });
  const make = (): number => libc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const socket = new Socket({ fd: namespace === undefined ? make() : inNetworkNamespace(namespace, make), allowHalfOpen: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => {
    reject(failure('cancelled', { act, why: 'the caller went away' }));
    socket.destroy();
  };
  const timer = setTimeout(() => reject(failure('deadline-exceeded', { act, why: `no answer within ${deadlineMs / 1000} s` })), deadlineMs);
  signal.addEventListener('abort', abort, { once: true });
  socket.on('error', reject); // stays: a reset after this must not end the daemon when nobody else listens
  socket.once('close', () => signal.removeEventListener('abort', abort));
  socket.connect({ port, host }, resolve);
  try {
    await promise;
    return socket.setNoDelay(true);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
