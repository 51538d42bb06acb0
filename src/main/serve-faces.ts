/** What answers on the daemon's socket: every face that speaks gRPC, on one server. */
import type { Logger } from '../base/log.ts';
import type { Engine } from '../engine/engine.ts';
import { adminService } from '../face/admin/admin-service.ts';
import { criServices } from '../face/cri/cri-services.ts';
import { serveGrpc } from '../face/grpc/server.ts';
import type { GrpcServer } from '../face/grpc/server.ts';

export interface ServeFacesRequest {
  readonly socketPath: string;
  readonly engine: Engine;
  readonly log: Logger;
  readonly runtimeVersion: string;
  readonly maxMessageBytes: number;
}

/** Errors: those of serveGrpc. */
export async function serveFaces({ socketPath, engine, log, runtimeVersion, maxMessageBytes }: ServeFacesRequest): Promise<GrpcServer> {
  const services = [...criServices({ engine, runtimeVersion, maxMessageBytes }), adminService({ engine })];
  return await serveGrpc({ socketPath, services, log, maxMessageBytes });
}
