import type { CallContext, Engine } from '../../engine/engine.ts';
import type { ImageServiceService, RuntimeServiceService } from '../../gen/cri.ts';
import type { Rpcs } from '../grpc/service.ts';
import type { SessionOffers } from '../streaming/stream-server.ts';

export const apiVersions = ['v1', 'v1alpha2'] as const;
/** v1alpha2 is what kubelets up to 1.25 fall back to; its messages are a subset of v1's, field by field (scripts/check-wire.ts). */
export type ApiVersion = (typeof apiVersions)[number];

/** What every RPC of the CRI has of the daemon. */
export interface CriDeps {
  readonly engine: Engine;
  readonly sessions: SessionOffers;
  /** Semantic version, told by the Version call. */
  readonly runtimeVersion: string;
  readonly maxMessageBytes: number;
}

/** What an RPC has beside its request. */
export interface RpcCall extends CriDeps {
  readonly ctx: CallContext;
  readonly apiVersion: ApiVersion;
}

export type RuntimeRpcs = Rpcs<RuntimeServiceService, RpcCall>;
export type ImageRpcs = Rpcs<ImageServiceService, RpcCall>;
