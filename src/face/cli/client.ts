/** A client of CRI v1, and of our own API where the runtime has it, for people's commands: any runtime's socket, errors as sentences. */
import net from 'node:net';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { failure, hasCode, type GantryError } from '../../base/errors.ts';
import { callFailure } from './call-failure.ts';
import { streamed, unary, uploaded, type CallLimits, type CallMethod } from './calls.ts';

export interface CallOptions {
  /** For messages: what is attempted (`start container`) and on what. */
  readonly act: string;
  readonly object?: string;
  /** Default 30 s; of a stream none. */
  readonly deadlineMs?: number;
  /** Cancels the call; default is the client's own. Pass `null` for calls that clean up after an interrupt. */
  readonly signal?: AbortSignal | null;
}

export interface CriClient {
  readonly socket: string;
  call<Request, Response>(method: CallMethod<Request, Response>, request: Request, options: CallOptions): Promise<Response>;
  /** The answers as they come, no faster than they are read; who stops reading cancels the call. */
  stream<Request, Response>(method: CallMethod<Request, Response>, request: Request, options: CallOptions): AsyncIterable<Response>;
  /** Sends the requests, no faster than they are taken, and resolves with the answer; when `requests` throws, so does this. */
  upload<Request, Response>(method: CallMethod<Request, Response>, requests: AsyncIterable<Request>, options: CallOptions): Promise<Response>;
  close(): void;
}

const defaultDeadlineMs = 30_000;
/** An exec answer holds two streams of at most 16 MiB. */
const largestMessage = 64 * 1024 * 1024;

/** The socket to talk to: the flag, then GANTRY_SOCKET, then the daemon's default; `unix://` in front is allowed. */
export function socketPath(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  return (flag ?? (env['GANTRY_SOCKET'] || '/run/gantry/gantry.sock')).replace(/^unix:(\/\/)?/, '');
}

/**
 * Connects to the CRI socket. Nobody listens: unavailable, and the message says how to start the daemon; no access:
 * failed-precondition. `signal` cancels every call made through this client.
 */
export async function connectCri(socket: string, signal: AbortSignal): Promise<CriClient> {
  await knock(socket);
  const channel = new Client(`unix:${socket}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': largestMessage,
    'grpc.max_send_message_length': largestMessage,
  });
  const limitsOf = (options: CallOptions, usualMs: number): CallLimits => ({
    deadlineMs: options.deadlineMs ?? usualMs,
    signal: options.signal === undefined ? signal : (options.signal ?? undefined),
  });
  /** What gRPC says of a failed call, as a sentence; what else was thrown (by a source of requests) is left as it is. */
  const inWords = (error: unknown, method: { readonly path: string }, options: CallOptions, { deadlineMs }: CallLimits): unknown =>
    isServiceError(error) ? callFailure(error, { act: options.act, object: options.object, path: method.path, deadlineMs, socket }) : error;
  return {
    socket,
    close: () => channel.close(),
    async call(method, request, options) {
      const limits = limitsOf(options, defaultDeadlineMs);
      return await unary(channel, method, request, limits).catch((error: unknown) => {
        throw inWords(error, method, options, limits);
      });
    },
    async *stream(method, request, options) {
      const limits = limitsOf(options, Infinity);
      try {
        yield* streamed(channel, method, request, limits);
      } catch (error) {
        throw inWords(error, method, options, limits);
      }
    },
    async upload(method, requests, options) {
      const limits = limitsOf(options, Infinity);
      return await uploaded(channel, method, requests, limits).catch((error: unknown) => {
        throw inWords(error, method, options, limits);
      });
    },
  };
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'details' in error && 'metadata' in error;
}

/** Tells "nobody is there" from "you may not" before gRPC hides both behind one status. */
function knock(socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const connection = net.connect(socket);
    connection.setTimeout(5000);
    connection.once('connect', () => {
      connection.destroy();
      resolve();
    });
    connection.once('timeout', () => {
      connection.destroy();
      reject(failure('unavailable', { act: 'connect to', object: socket, why: 'the daemon does not accept connections (waited 5 s)' }));
    });
    connection.once('error', (error) => reject(connectFailure(error, socket)));
  });
}

function connectFailure(error: Error, socket: string): GantryError {
  if (hasCode(error, 'EACCES') || hasCode(error, 'EPERM')) {
    return failure('failed-precondition', { act: 'connect to', object: socket, why: 'permission denied: the socket belongs to root, use sudo', cause: error });
  }
  if (hasCode(error, 'ENOENT') || hasCode(error, 'ECONNREFUSED') || hasCode(error, 'ENOTSOCK')) {
    return failure('unavailable', { act: 'no daemon answers at', object: socket, why: 'start it with `gantry serve`, or name its socket with --socket', cause: error });
  }
  return failure('unavailable', { act: 'connect to', object: socket, cause: error });
}
