/** A CRI v1 client for people's commands: any runtime's socket, a deadline on every call, errors as sentences. */
import net from 'node:net';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { failure, hasCode, type GantryError } from '../../base/errors.ts';
import { callFailure } from './call-failure.ts';

/** A unary method of the generated service definitions (`RuntimeServiceService.version`, …). */
export interface UnaryMethod<Request, Response> {
  readonly path: string;
  requestSerialize(value: Request): Buffer;
  responseDeserialize(value: Buffer): Response;
}

export interface CallOptions {
  /** For messages: what is attempted (`start container`) and on what. */
  readonly act: string;
  readonly object?: string;
  /** Default 30 s. */
  readonly deadlineMs?: number;
  /** Cancels the call; default is the client's own. Pass `null` for calls that clean up after an interrupt. */
  readonly signal?: AbortSignal | null;
}

export interface CriClient {
  readonly socket: string;
  call<Request, Response>(method: UnaryMethod<Request, Response>, request: Request, options: CallOptions): Promise<Response>;
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
  return {
    socket,
    close: () => channel.close(),
    call(method, request, options) {
      const deadlineMs = options.deadlineMs ?? defaultDeadlineMs;
      const cancelledBy = options.signal === undefined ? signal : (options.signal ?? undefined);
      return unary(channel, method, request, { deadlineMs, signal: cancelledBy }).catch((error: ServiceError) => {
        throw callFailure(error, { act: options.act, object: options.object, deadlineMs, socket });
      });
    },
  };
}

function unary<Request, Response>(
  channel: Client,
  method: UnaryMethod<Request, Response>,
  request: Request,
  limits: { deadlineMs: number; signal: AbortSignal | undefined },
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const cancel = () => call.cancel();
    const deadline = limits.deadlineMs === Infinity ? Infinity : Date.now() + limits.deadlineMs;
    const call = channel.makeUnaryRequest(
      method.path,
      (value: Request) => method.requestSerialize(value),
      (value: Buffer) => method.responseDeserialize(value),
      request,
      new Metadata(),
      { deadline },
      (error, response) => {
        limits.signal?.removeEventListener('abort', cancel);
        if (error) reject(error);
        else resolve(response as Response);
      },
    );
    if (limits.signal?.aborted) cancel();
    else limits.signal?.addEventListener('abort', cancel, { once: true });
  });
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
