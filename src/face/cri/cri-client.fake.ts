/** A grpc-js client of both services under either version, for tests. */
import type { ClientReadableStream, ServiceError, UntypedHandleCall } from '@grpc/grpc-js';
import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { CallOptions, ClientOptions, ServiceDefinition } from '@grpc/grpc-js';
import { ImageServiceService, RuntimeServiceService } from '../../gen/cri.ts';
import type { ApiVersion } from './rpc.ts';

const services = { ...RuntimeServiceService, ...ImageServiceService };
type Services = typeof services;
export type RpcName = keyof Services;
type RequestOf<Name extends RpcName> = Parameters<Services[Name]['requestSerialize']>[0];
type ResponseOf<Name extends RpcName> = ReturnType<Services[Name]['responseDeserialize']>;

export interface CriClient {
  /** One unary call; rejects with the ServiceError. */
  call<Name extends RpcName>(name: Name, request: RequestOf<Name>, options?: CallOptions): Promise<ResponseOf<Name>>;
  /** A streaming call, to be iterated or cancelled. */
  stream<Name extends RpcName>(name: Name, request: RequestOf<Name>): ClientReadableStream<ResponseOf<Name>>;
  /** One unary call that can be cancelled. */
  cancellable<Name extends RpcName>(name: Name, request: RequestOf<Name>): { cancel(): void; answer: Promise<ResponseOf<Name>> };
  close(): void;
}

type Callback = (error: ServiceError | null, response: unknown) => void;
type Method = (request: unknown, options?: CallOptions, done?: Callback) => { cancel(): void };
type Raw = Record<string, Method> & { close(): void };

export function criClient(socketPath: string, apiVersion: ApiVersion = 'v1', options: ClientOptions = {}): CriClient {
  const definition = Object.fromEntries(Object.entries(services).map(([name, method]) => [
    name, { ...method, path: method.path.replace('.v1.', `.${apiVersion}.`) },
  ])) as unknown as ServiceDefinition<Record<string, UntypedHandleCall>>;
  const Constructor = makeGenericClientConstructor(definition, 'Cri');
  const raw = new Constructor(`unix:${socketPath}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1, 'grpc.use_local_subchannel_pool': 1, ...options,
  }) as unknown as Raw;
  const cancellable: CriClient['cancellable'] = (name, request) => start(name, request, {});
  const start = (name: RpcName, request: unknown, callOptions: CallOptions): { cancel(): void; answer: Promise<never> } => {
    const { promise, resolve, reject } = Promise.withResolvers<never>();
    const done: Callback = (error, response) => (error === null ? resolve(response as never) : reject(error));
    const call = (raw[name] as Method).call(raw, request, callOptions, done);
    return { cancel: () => call.cancel(), answer: promise };
  };
  return {
    call: (name, request, callOptions = {}) => start(name, request, callOptions).answer,
    stream: (name, request) => (raw[name] as Method).call(raw, request) as never,
    cancellable,
    close: () => raw.close(),
  };
}

