/** What answers for the daemon: every face that speaks gRPC, on one socket, and the server that their sessions go over. */
import type { Config } from '../base/config/schema.ts';
import type { Logger } from '../base/log.ts';
import type { Engine } from '../engine/engine.ts';
import { adminService } from '../face/admin/admin-service.ts';
import { criServices } from '../face/cri/cri-services.ts';
import { serveGrpc } from '../face/grpc/server.ts';
import { serveStreams } from '../face/streaming/stream-server.ts';
import { streamServerOptions } from './stream-settings.ts';

export interface ServeFacesRequest {
  readonly socketPath: string;
  readonly engine: Engine;
  readonly streaming: Config['streaming'];
  readonly log: Logger;
  readonly runtimeVersion: string;
  readonly maxMessageBytes: number;
}

/** How long sessions get to end after the calls have. */
const sessionGraceMs = 2000;

/** Errors: those of serveGrpc and serveStreams. */
export async function serveFaces({ socketPath, engine, streaming, log, runtimeVersion, maxMessageBytes }: ServeFacesRequest): Promise<{ close(graceMs: number): Promise<void> }> {
  const sessions = await serveStreams(streamServerOptions(streaming, engine.streams, log));
  const services = [...criServices({ engine, sessions, runtimeVersion, maxMessageBytes }), adminService({ engine })];
  try {
    const grpc = await serveGrpc({ socketPath, services, log, maxMessageBytes });
    log.debug('sessions go over', { url: sessions.url });
    return {
      async close(graceMs) {
        await grpc.close(graceMs);
        await sessions.close(sessionGraceMs);
      },
    };
  } catch (error) {
    await sessions.close(0);
    throw error;
  }
}
