import type { CallContext, Engine } from '../../engine/engine.ts';
import type { ImageServiceService, RuntimeServiceService } from '../../gen/cri.ts';

export const apiVersions = ['v1', 'v1alpha2'] as const;
/** v1alpha2 is what kubelets up to 1.25 fall back to; its messages are a subset of v1's, field by field (scripts/check-wire.ts). */
export type ApiVersion = (typeof apiVersions)[number];

/** What an RPC has beside its request. */
export interface RpcCall {
  readonly engine: Engine;
  readonly ctx: CallContext;
  readonly apiVersion: ApiVersion;
  readonly runtimeVersion: string;
  readonly maxMessageBytes: number;
}

interface MethodDefinition {
  readonly requestDeserialize: (bytes: Buffer) => unknown;
  readonly responseSerialize: (response: never) => Buffer;
  readonly responseStream: boolean;
}

type RequestOf<Method extends MethodDefinition> = ReturnType<Method['requestDeserialize']>;
type ResponseOf<Method extends MethodDefinition> = Parameters<Method['responseSerialize']>[0];

/** The RPCs of a generated service definition: a promise of the answer, or the answers as they come. */
export type Rpcs<Service extends Record<keyof Service, MethodDefinition>> = {
  readonly [Name in keyof Service]: Service[Name]['responseStream'] extends true
    ? (request: RequestOf<Service[Name]>, call: RpcCall) => AsyncIterable<ResponseOf<Service[Name]>>
    : (request: RequestOf<Service[Name]>, call: RpcCall) => Promise<ResponseOf<Service[Name]>>;
};

export type RuntimeRpcs = Rpcs<RuntimeServiceService>;
export type ImageRpcs = Rpcs<ImageServiceService>;
