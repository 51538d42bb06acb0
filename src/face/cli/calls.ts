/** gRPC calls of every shape as promises and iterables. They fail with grpc-js's ServiceError. */
import { Metadata, type Client, type ServiceError } from '@grpc/grpc-js';

/** A method of the generated service definitions (`RuntimeServiceService.version`, `AdminService.watchPulls`, …). */
export interface CallMethod<Request, Response> {
  readonly path: string;
  requestSerialize(value: Request): Buffer;
  responseDeserialize(value: Buffer): Response;
}

export interface CallLimits {
  readonly deadlineMs: number;
  /** Cancels the call. */
  readonly signal: AbortSignal | undefined;
}

export function unary<Request, Response>(channel: Client, method: CallMethod<Request, Response>, request: Request, limits: CallLimits): Promise<Response> {
  return new Promise((resolve, reject) => {
    const call = channel.makeUnaryRequest(method.path, serialize(method), deserialize(method), request, new Metadata(), deadlineOf(limits), (error, response) => {
      forget();
      if (error) reject(error);
      else resolve(response as Response);
    });
    const forget = cancelOn(limits.signal, call);
  });
}

/** The answers as they come; who stops reading cancels the call. */
export async function* streamed<Request, Response>(channel: Client, method: CallMethod<Request, Response>, request: Request, limits: CallLimits): AsyncGenerator<Response> {
  const call = channel.makeServerStreamRequest(method.path, serialize(method), deserialize(method), request, new Metadata(), deadlineOf(limits));
  const forget = cancelOn(limits.signal, call);
  try {
    yield* call as AsyncIterable<Response>;
  } finally {
    forget();
    call.on('error', () => {}); // of the cancelling, which nobody waits for any more
    call.cancel();
  }
}

/**
 * Sends the requests as fast as they are taken, and resolves with the one answer. When `requests` throws, the call is cancelled and
 * that error thrown; when the answer comes before the last request, the rest is not read.
 */
export async function uploaded<Request, Response>(channel: Client, method: CallMethod<Request, Response>, requests: AsyncIterable<Request>, limits: CallLimits): Promise<Response> {
  const { promise: answer, resolve, reject } = Promise.withResolvers<Response>();
  const call = channel.makeClientStreamRequest(method.path, serialize(method), deserialize(method), new Metadata(), deadlineOf(limits), (error: ServiceError | null, response) => {
    if (error) reject(error);
    else resolve(response as Response);
  });
  let answered = false;
  const ended = answer.then(() => {}, () => {}).finally(() => (answered = true));
  call.on('error', () => {}); // the answer tells
  const forget = cancelOn(limits.signal, call);
  try {
    for await (const request of requests) {
      if (answered) break;
      if (!call.write(request)) await Promise.race([new Promise((drained) => call.once('drain', drained)), ended]);
    }
    call.end();
    return await answer;
  } catch (error) {
    call.cancel();
    throw error;
  } finally {
    forget();
  }
}

function serialize<Request>(method: Pick<CallMethod<Request, never>, 'requestSerialize'>): (value: Request) => Buffer {
  return (value) => method.requestSerialize(value);
}

function deserialize<Response>(method: Pick<CallMethod<never, Response>, 'responseDeserialize'>): (value: Buffer) => Response {
  return (value) => method.responseDeserialize(value);
}

function deadlineOf({ deadlineMs }: CallLimits): { deadline: number } {
  return { deadline: deadlineMs === Infinity ? Infinity : Date.now() + deadlineMs };
}

/** Returns what forgets the signal again. */
function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): () => void {
  const cancel = (): void => call.cancel();
  if (signal?.aborted) cancel();
  else signal?.addEventListener('abort', cancel, { once: true });
  return () => signal?.removeEventListener('abort', cancel);
}
