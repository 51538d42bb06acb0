/**
 * A service as grpc-js wants it. Messages cross grpc-js as bytes: decoding and encoding happen within the conducted call, so that
 * an undecodable request and an answer over the size limit fail like everything else.
 */
import { Metadata } from '@grpc/grpc-js';
import type { ServerDuplexStream, ServerWritableStream, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { failure, GantryError } from '../../base/errors.ts';
import type { LogFields } from '../../base/log.ts';
import type { CallContext } from '../../engine/engine.ts';
import { conduct } from './conduct.ts';
import type { ConductDeps, Method } from './conduct.ts';
import { decodeRequest } from './decode-request.ts';
import type { AnyRpc, MethodDefinition, Service } from './service.ts';
import type { CallStatus } from './status.ts';

export interface Surface {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export interface SurfaceDeps extends ConductDeps {
  /** The limit of a message that is sent. */
  readonly maxMessageBytes: number;
}

/** One method with all that answering it takes. */
interface Bound {
  readonly method: Method;
  readonly wire: MethodDefinition;
  readonly rpc: AnyRpc;
  readonly service: Service;
  readonly deps: SurfaceDeps;
}

type Tell = (subject: LogFields) => void;

export function surfaceOf(service: Service, deps: SurfaceDeps): Surface {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [name, wire] of Object.entries(service.definition)) {
    const { path, requestStream } = wire;
    const rpc = service.rpcs[name];
    if (rpc === undefined) throw failure('internal', { act: 'serve', object: path, why: 'there is no RPC behind it' });
    definition[name] = { path, requestStream, responseStream: true, requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
    implementation[name] = answered({ method: methodOf(service, path), wire, rpc, service, deps });
  }
  return { definition, implementation };
}

const asIs = (bytes: Buffer): Buffer => bytes;

function methodOf({ changing, endless, logFields = {} }: Service, path: string): Method {
  const name = path.slice(path.lastIndexOf('/') + 1); // `/runtime.v1.RuntimeService/Version`
  return { name, changing: changing.has(name), endless: endless?.has(name) === true, logFields };
}

/**
 * One answer travels as a stream of one does, and grpc-js tells only of a stream when the client has taken a message: until then the call
 * counts as in flight, so that answers which nobody takes are no more than those.
 */
function answered(bound: Bound) {
  const { method, deps } = bound;
  return async (stream: Outgoing): Promise<void> => {
    const failed = await conduct(method, stream, deps, async (ctx, tell, hold) => {
      for await (const message of answersOf(bound, stream, { ctx, tell })) {
        const bytes = encoded(bound, message);
        hold(bytes.length);
        await sent(stream, bytes, ctx.signal);
      }
    });
    if (failed === undefined) stream.end();
    else refuse(stream, failed);
  };
}

async function* answersOf(bound: Bound, stream: Outgoing, { ctx, tell }: { ctx: CallContext; tell: Tell }): AsyncGenerator<object> {
  const { rpc, service, wire } = bound;
  const answers = rpc(asked(bound, stream, ctx.signal, tell) as never, service.callWith(ctx) as never);
  if (wire.responseStream) yield* answers as AsyncIterable<object>;
  else yield await (answers as Promise<object>);
}

/** How grpc-js takes a status for a stream. */
function refuse(stream: NodeJS.EventEmitter, failed: CallStatus): void {
  stream.emit('error', Object.assign(new Error(failed.details), failed));
}

/** What the RPC is asked: a message, or the messages as they come. */
function asked(bound: Bound, call: Outgoing, signal: AbortSignal, tell: Tell): object {
  if (bound.wire.requestStream) return received(bound, call as ServerDuplexStream<Buffer, Buffer>, signal, tell);
  const request = decoded(bound, (call as ServerWritableStream<Buffer, Buffer>).request);
  tell(bound.service.subjectOf(request));
  return request;
}

/** The messages of a streamed request; the next one is asked of the client when the RPC wants it. An aborted signal ends the waiting. */
async function* received(bound: Bound, stream: ServerDuplexStream<Buffer, Buffer>, signal: AbortSignal, tell: Tell): AsyncGenerator<object> {
  const messages = stream.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {}); // nobody may be waiting
  const stop = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    for (let first = true; ; first = false) {
      const next = await Promise.race([messages.next(), aborted.promise]);
      if (next.done === true) return await endedByClient(stream, signal);
      const request = decoded(bound, next.value);
      if (first) tell(bound.service.subjectOf(request));
      yield request;
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/**
 * To grpc-js a request that was broken off ends as one that is complete, and is cancelled a moment later. Half an upload must not
 * pass for a whole one: sending the head of the answer makes grpc-js look whether anybody is there.
 */
async function endedByClient(stream: ServerDuplexStream<Buffer, Buffer>, signal: AbortSignal): Promise<void> {
  stream.sendMetadata(new Metadata());
  await new Promise((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
}

function decoded({ method, wire }: Bound, bytes: Buffer): object {
  try {
    return decodeRequest(method.name, wire.requestDeserialize, bytes);
  } catch (error) {
    if (error instanceof GantryError) throw error;
    throw failure('invalid-argument', { act: method.name, why: 'the request is no message of this call', cause: error });
  }
}

function encoded({ method, wire, service, deps }: Bound, message: object): Buffer {
  const bytes = (service.encoders?.[method.name] ?? wire.responseSerialize)(message as never);
  const limit = deps.maxMessageBytes;
  if (bytes.length > limit) {
    const why = `the answer has ${bytes.length} bytes and a message at most ${limit}; ask for less with a filter, or as a stream`;
    throw failure('resource-exhausted', { act: method.name, why });
  }
  return bytes;
}

type Outgoing = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/** Resolves when the client has taken the message; grpc-js forgets the callback of a cancelled call, so the signal ends the waiting. */
function sent(stream: Outgoing, bytes: Buffer, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    stream.write(bytes, (error?: Error | null) => {
      signal.removeEventListener('abort', stop);
      if (error) reject(error);
      else resolve();
    });
  });
}
