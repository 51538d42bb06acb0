/** What a face says of a gRPC service for it to be served: the generated definition and the RPCs behind it. */
import type { LogFields } from '../../base/log.ts';
import type { CallContext } from '../../engine/engine.ts';

/** A method of a definition that ts-proto generated. */
export interface MethodDefinition {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestDeserialize: (bytes: Buffer) => object;
  readonly responseSerialize: (response: never) => Buffer;
}

type RequestOf<Method extends MethodDefinition> = ReturnType<Method['requestDeserialize']>;
type ResponseOf<Method extends MethodDefinition> = Parameters<Method['responseSerialize']>[0];
type Asked<Method extends MethodDefinition> = Method['requestStream'] extends true ? AsyncIterable<RequestOf<Method>> : RequestOf<Method>;
type Answered<Method extends MethodDefinition> = Method['responseStream'] extends true ? AsyncIterable<ResponseOf<Method>> : Promise<ResponseOf<Method>>;

/**
 * The RPCs of a generated service definition, each with what it has beside its request: a promise of the answer, or the answers as
 * they come. Streamed requests are read as fast as the RPC asks for them, and the client sends no more than that.
 */
export type Rpcs<Definition extends Record<keyof Definition, MethodDefinition>, Call> = {
  readonly [Name in keyof Definition]: (request: Asked<Definition[Name]>, call: Call) => Answered<Definition[Name]>;
};

/** An RPC of whatever shape, as the server sees it. */
export type AnyRpc = (request: never, call: never) => Promise<object> | AsyncIterable<object>;

export interface Service {
  readonly definition: Readonly<Record<string, MethodDefinition>>;
  readonly rpcs: Readonly<Record<string, AnyRpc>>;
  /** What an RPC gets beside its request, given the context of the call. */
  callWith(ctx: CallContext): object;
  /** Methods by their names in the proto that change something: worth a line at info, where people ask all the rest every second. */
  readonly changing: ReadonlySet<string>;
  /** Methods that only their caller ends: nobody waits for them when the daemon stops. */
  readonly endless?: ReadonlySet<string>;
  /** The names, ids and references of a request, for the log line: of a stream's first one. Nothing secret. */
  subjectOf(request: object): LogFields;
  /** In the log line of every call. */
  readonly logFields?: LogFields;
  /** How some answers are encoded instead of by their generated encoder, by method. */
  readonly encoders?: Readonly<Record<string, (answer: never) => Buffer>>;
}
