/**
 * A CRI v1 client for tests, the demo and the benchmark: every RPC of both services as a method, requests given in part. It
 * talks to any runtime's socket, so that a test can be tried against a peer.
 */
import { Client, credentials, Metadata, type ClientReadableStream } from '@grpc/grpc-js';
import { ImageServiceService, RuntimeServiceService } from '../../src/gen/cri.ts';
import { patience } from './patience.ts';

interface Method<Request, Response> {
  readonly path: string;
  readonly responseStream: boolean;
  requestSerialize(value: Request): Buffer;
  requestDeserialize(value: Buffer): Request;
  responseDeserialize(value: Buffer): Response;
}

export interface CallOptions {
  /** Default 60 s. */
  readonly deadlineMs?: number;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
}

type RequestOf<M> = M extends { requestSerialize(value: infer Request): Buffer } ? Request : never;
type ResponseOf<M> = M extends { responseDeserialize(value: Buffer): infer Response } ? Response : never;

/** What a request leaves out is empty, as protobuf has it. */
type Calls<Service> = {
  readonly [Name in keyof Service]: Service[Name] extends { responseStream: true }
    ? (request?: Partial<RequestOf<Service[Name]>>) => ClientReadableStream<ResponseOf<Service[Name]>>
    : (request?: Partial<RequestOf<Service[Name]>>, options?: CallOptions) => Promise<ResponseOf<Service[Name]>>;
};

export type CriClient = Calls<typeof RuntimeServiceService> & Calls<typeof ImageServiceService> & { close(): void };

const largestMessage = 64 * 1024 * 1024;

/**
 * Makes a client; it connects with the first call. A failed call throws gRPC's ServiceError (`code`, `details`). With `v1alpha2`
 * it speaks the interface of kubelets up to 1.25, whose messages are the same on the wire.
 */
export function criClient(socket: string, apiVersion: 'v1' | 'v1alpha2' = 'v1'): CriClient {
  const channel = new Client(`unix:${socket}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': largestMessage,
    'grpc.max_send_message_length': largestMessage,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 500,
  });
  const methods = Object.entries({ ...RuntimeServiceService, ...ImageServiceService }) as unknown as [string, Method<object, unknown>][];
  const calls = methods.map(([name, method]) => {
    const versioned = { ...method, path: method.path.replace('/runtime.v1.', `/runtime.${apiVersion}.`) };
    return [name, method.responseStream ? streaming(channel, versioned) : unary(channel, versioned)];
  });
  return { ...Object.fromEntries(calls), close: () => channel.close() } as CriClient;
}

function complete<Request extends object>(method: Method<Request, unknown>, request: Partial<Request>): Request {
  return { ...method.requestDeserialize(Buffer.alloc(0)), ...request };
}

function unary<Request extends object, Response>(channel: Client, method: Method<Request, Response>) {
  return (request: Partial<Request> = {}, { deadlineMs = 60_000 * patience, signal }: CallOptions = {}): Promise<Response> =>
    new Promise((resolve, reject) => {
      const cancel = (): void => call.cancel();
      const call = channel.makeUnaryRequest(
        method.path,
        (value: Request) => method.requestSerialize(value),
        (value: Buffer) => method.responseDeserialize(value),
        complete(method, request),
        new Metadata(),
        { deadline: Date.now() + deadlineMs },
        (error, response) => {
          signal?.removeEventListener('abort', cancel);
          if (error) reject(error);
          else resolve(response!);
        },
      );
      if (signal?.aborted === true) cancel();
      else signal?.addEventListener('abort', cancel, { once: true });
    });
}

function streaming<Request extends object, Response>(channel: Client, method: Method<Request, Response>) {
  return (request: Partial<Request> = {}): ClientReadableStream<Response> =>
    channel.makeServerStreamRequest(
      method.path,
      (value: Request) => method.requestSerialize(value),
      (value: Buffer) => method.responseDeserialize(value),
      complete(method, request),
    );
}
