/**
 * `gantry serve` with an engine that does nothing and a socket that answers nothing: for tests of what is around them.
 * FAKE names one fault: `reload-refused`, `close-hangs`, `build-fails`, `engine-hangs`, or `dies-of-usr2`.
 */
import { createServer } from 'node:net';
import { failure } from '../base/errors.ts';
import type { Engine } from '../engine/engine.ts';
import { serveCommand } from './serve-command.ts';
import type { ServeParts } from './serve.ts';

const fault = process.env['FAKE'];
const never = new Promise<never>(() => {});

const parts: ServeParts = {
  async buildEngine(config, log) {
    if (fault === 'build-fails') throw failure('unavailable', { act: 'open store', why: 'disk is full' });
    if (fault === 'dies-of-usr2') process.on('SIGUSR2', () => void Promise.reject(new Error('a bug')));
    process.on('SIGUSR1', () => log.debug('seen at debug'));
    setInterval(() => {}, 1000); // a handle that nobody closes
    log.info('engine built', { defaultHandler: config.runtime.defaultHandler });
    return {
      engine: { node: { status: () => (fault === 'engine-hangs' ? never : Promise.resolve({})) } } as unknown as Engine,
      async close() {
        log.info('engine closed');
        if (fault === 'close-hangs') await never;
      },
      reload(next) {
        if (fault === 'reload-refused') throw failure('failed-precondition', { act: 'reload engine', why: 'not now' });
        log.info('engine reloaded', { root: next.root, defaultHandler: next.runtime.defaultHandler });
      },
    };
  },
  async serveFaces({ socketPath, log }) {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    return {
      async close(graceMs) {
        log.info('socket closed', { graceMs });
        server.close();
      },
    };
  },
};

const io = { stdout: process.stdout, stderr: process.stderr, environment: process.env };
process.exit(await serveCommand(process.argv.slice(2), io, { version: '1.2.3', parts: async () => parts }));
