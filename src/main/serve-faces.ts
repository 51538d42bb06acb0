/** What answers for the daemon: every face that speaks gRPC, on one socket, the server that their sessions go over, and the Docker API where it is wanted. */
import type { Config } from '../base/config/schema.ts';
import type { Logger } from '../base/log.ts';
import type { Engine } from '../engine/engine.ts';
import { adminService } from '../face/admin/admin-service.ts';
import { criServices } from '../face/cri/cri-services.ts';
import { DockerClients } from '../face/docker/clients.ts';
import { serveDocker } from '../face/docker/docker-server.ts';
import { serveGrpc } from '../face/grpc/server.ts';
import { serveStreams } from '../face/streaming/stream-server.ts';
import { peerProcess } from '../host/peer-process.ts';
import { streamServerOptions } from './stream-settings.ts';

export interface ServeFacesRequest {
  readonly socketPath: string;
  /** Empty: the Docker API is not served. */
  readonly dockerSocketPath: string;
  readonly engine: Engine;
  readonly streaming: Config['streaming'];
  readonly log: Logger;
  readonly runtimeVersion: string;
  readonly maxMessageBytes: number;
}

/** How long sessions, and clients of the Docker API, get to end after the calls have. */
const sessionGraceMs = 2000;

/** Errors: those of serveGrpc, serveStreams and serveDocker. */
export async function serveFaces({ socketPath, dockerSocketPath, engine, streaming, log, runtimeVersion, maxMessageBytes }: ServeFacesRequest): Promise<{ close(graceMs: number): Promise<void> }> {
  await using begun = new AsyncDisposableStack();
  const sessions = await serveStreams(streamServerOptions(streaming, engine.streams, log));
  begun.defer(() => sessions.close(0));

  const clients = dockerSocketPath === '' ? undefined : new DockerClients({ engine, log });
  const docker = clients && await serveDocker({ socketPath: dockerSocketPath, engine, clients, peerOf: peerProcess, log, version: runtimeVersion });
  begun.defer(() => docker?.close(0));

  const services = [...criServices({ engine, sessions, runtimeVersion, maxMessageBytes }), adminService({ engine, dockerClients: clients && (() => clients.list()) })];
  const grpc = await serveGrpc({ socketPath, services, log, maxMessageBytes });
  log.debug('sessions go over', { url: sessions.url });
  begun.move();
  return {
    async close(graceMs) {
      await grpc.close(graceMs);
      await Promise.all([sessions.close(sessionGraceMs), docker?.close(sessionGraceMs)]);
    },
  };
}
