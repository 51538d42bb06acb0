/**
 * A generated service definition and its RPCs, as grpc-js wants them. Messages cross grpc-js as bytes: decoding and encoding
 * happen within the conducted call, so that an undecodable request and an answer over the size limit fail like everything else.
 */
import type { ServerUnaryCall, ServerWritableStream, ServiceDefinition, UntypedServiceImplementation, sendUnaryData } from '@grpc/grpc-js';
import { failure } from '../../base/errors.ts';
import { conduct } from './conduct.ts';
import { decodeRequest } from './decode-request.ts';
import { listEncoders } from './encode-list.ts';
import type { ConductDeps, Method } from './conduct.ts';
import type { ApiVersion, RpcCall } from './rpc.ts';

interface Definition {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestDeserialize: (bytes: Buffer) => object;
  readonly responseSerialize: (response: never) => Buffer;
}

type Rpc = (request: never, call: RpcCall) => Promise<object> | AsyncIterable<object>;

export interface Surface {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/** The same RPCs under `runtime.v1` or `runtime.v1alpha2`: on the wire the two differ in the package's name. */
export function surfaceOf<Name extends string>(
  definitions: Readonly<Record<Name, Definition>>, rpcs: Readonly<Record<Name, Rpc>>, apiVersion: ApiVersion, deps: ConductDeps,
): Surface {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const name of Object.keys(definitions) as Name[]) {
    const { path, requestStream, responseStream } = definitions[name];
    definition[name] = {
      path: path.replace('/runtime.v1.', `/runtime.${apiVersion}.`), requestStream, responseStream,
      requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs,
    };
    const method = { name: path.slice(path.lastIndexOf('/') + 1), apiVersion };
    implementation[name] = (responseStream ? streamed : unary)(method, definitions[name], rpcs[name], deps);
  }
  return { definition, implementation };
}

const asIs = (bytes: Buffer): Buffer => bytes;

function unary(method: Method, wire: Definition, rpc: Rpc, deps: ConductDeps) {
  return async (call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>): Promise<void> => {
    let answer: Buffer | undefined;
    const failed = await conduct(method, call, deps, {
      decode: () => decodeRequest(method.name, wire.requestDeserialize, call.request),
      answer: async (request, context) => {
        answer = encoded(method, wire, await (rpc(request as never, context) as Promise<object>), deps.maxMessageBytes);
      },
    });
    respond(failed ?? null, answer);
  };
}

function streamed(method: Method, wire: Definition, rpc: Rpc, deps: ConductDeps) {
  return async (stream: ServerWritableStream<Buffer, Buffer>): Promise<void> => {
    const failed = await conduct(method, stream, deps, {
      decode: () => decodeRequest(method.name, wire.requestDeserialize, stream.request),
      answer: async (request, context) => {
        for await (const message of rpc(request as never, context) as AsyncIterable<object>) {
          await sent(stream, encoded(method, wire, message, deps.maxMessageBytes), context.ctx.signal);
        }
      },
    });
    if (failed === undefined) stream.end();
    else stream.emit('error', Object.assign(new Error(failed.details), failed)); // how grpc-js takes a status for a stream
  };
}

function encoded(method: Method, wire: Definition, message: object, limit: number): Buffer {
  const bytes = (listEncoders[method.name] ?? wire.responseSerialize)(message as never);
  if (bytes.length > limit) {
    const why = `the answer has ${bytes.length} bytes and a message at most ${limit}; ask for less with a filter, or as a stream`;
    throw failure('resource-exhausted', { act: method.name, why });
  }
  return bytes;
}

/** Resolves when the client has taken the message; grpc-js forgets the callback of a cancelled call, so the signal ends the waiting. */
function sent(stream: ServerWritableStream<Buffer, Buffer>, bytes: Buffer, signal: AbortSignal): Promise<void> {
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
