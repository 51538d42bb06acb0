import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { loadConfig } from '../base/config/load.ts';
import { silentLogger } from '../base/log.ts';
import type { StreamEngine } from '../engine/stream-engine.ts';
import { streamServerOptions } from './stream-settings.ts';

async function optionsOf(t: TestContext, toml: string) {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'stream-settings-'));
  t.after(() => fs.rm(folder, { recursive: true }));
  const configFile = path.join(folder, 'config.toml');
  await fs.writeFile(configFile, toml);
  const { config } = await loadConfig({ configFile, flags: new Map(), environment: {} });
  const { engine: _engine, log: _log, ...options } = streamServerOptions(config.streaming, {} as StreamEngine, silentLogger);
  return options;
}

test('without a word sessions are served on loopback, at any port, in the clear', async (t) => {
  assert.deepEqual(await optionsOf(t, ''), {
    address: '127.0.0.1', port: 0, tls: undefined, idleMs: 14_400_000, creationMs: 30_000, maxSessions: 1000,
  });
});

test('every setting of the table reaches the server', async (t) => {
  const options = await optionsOf(t, `[streaming]
address = "::1"
port = 10010
tls_cert_file = "/etc/tls.crt"
tls_key_file = "/etc/tls.key"
tls_min_version = "1.3"
idle_timeout = "1h"
creation_timeout = "5s"
max_sessions = 7
`);

  assert.deepEqual(options, {
    address: '::1', port: 10_010, tls: { certFile: '/etc/tls.crt', keyFile: '/etc/tls.key', minVersion: 'TLSv1.3' }, idleMs: 3_600_000, creationMs: 5000, maxSessions: 7,
  });
});
