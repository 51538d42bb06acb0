import type { CallContext, Engine } from '../../engine/engine.ts';
import type { AdminService, DockerClient } from '../../gen/admin.ts';
import type { Rpcs } from '../grpc/service.ts';

/** What every RPC of our own API has of the daemon. */
export interface AdminDeps {
  readonly engine: Engine;
  /** Who uses the Docker API; undefined where it is not served. */
  readonly dockerClients: (() => DockerClient[]) | undefined;
}

/** What an RPC has beside its request. */
export interface AdminCall extends AdminDeps {
  readonly ctx: CallContext;
}

export type AdminRpcs = Rpcs<AdminService, AdminCall>;
