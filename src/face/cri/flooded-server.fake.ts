/** A server in a process of its own, whose memory a test can tell from that of its clients. Its lists of containers have two mebibytes, in messages of one. */
import { silentLogger } from '../../base/log.ts';
import { Container, ContainerStats } from '../../gen/cri.ts';
import { serveGrpc } from '../grpc/server.ts';
import { criServices } from './cri-services.ts';
import { fakeEngine, noSessions, only } from './engine.fake.ts';

const [socketPath = ''] = process.argv.slice(2);
const maxMessageBytes = 8 << 20;
const annotations = { long: 'x'.repeat(32 * 1024) };
const containers = Array.from({ length: 64 }, (_, i) => only(Container, { id: `c${i}`, annotations }));
const stats = containers.map(({ id }) => only(ContainerStats, { attributes: { id, metadata: undefined, labels: {}, annotations } }));
const { engine } = fakeEngine({ containers: { list: async () => containers, listStats: async () => stats } });

const warned: string[] = [];
const log = { ...silentLogger, warn: (message: string, fields = {}) => void warned.push(`${message} ${JSON.stringify(fields)}`), with: () => silentLogger };
const server = await serveGrpc({ socketPath, services: criServices({ engine, sessions: noSessions, runtimeVersion: '1', maxMessageBytes }), log, maxMessageBytes });

process.on('message', (asked) => {
  if (asked === 'held') gc?.(); // and not what is about to go
  process.send?.({ rss: process.memoryUsage().rss, inFlight: server.inFlight, warned });
});
process.on('disconnect', () => process.exit());
process.send?.('serving');
