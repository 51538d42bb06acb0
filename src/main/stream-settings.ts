import type { Config } from '../base/config/schema.ts';
import type { Logger } from '../base/log.ts';
import type { StreamEngine } from '../engine/stream-engine.ts';
import type { StreamServerOptions } from '../face/streaming/stream-server.ts';

/** The server of sessions as the configuration wants it. */
export function streamServerOptions(settings: Config['streaming'], engine: StreamEngine, log: Logger): StreamServerOptions {
  const { address, port, tlsCertFile, tlsKeyFile, tlsMinVersion, idleTimeout, creationTimeout, maxSessions } = settings;
  return {
    engine, log, address, port, maxSessions,
    tls: tlsCertFile === '' ? undefined : { certFile: tlsCertFile, keyFile: tlsKeyFile, minVersion: `TLSv${tlsMinVersion}` },
    idleMs: idleTimeout,
    creationMs: creationTimeout,
  };
}
