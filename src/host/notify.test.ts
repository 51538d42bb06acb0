import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { silentLogger } from '../base/log.ts';
import type { Logger } from '../base/log.ts';
import { openNotifier } from './notify.ts';
import { startServiceManager } from './service-manager.fake.ts';

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-notify-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test('the service manager hears ready, reloading, stopping and alive', async (t) => {
  const address = join(await temporaryFolder(t), 'notify');
  const next = await startServiceManager(t, address);
  using notifier = openNotifier({ NOTIFY_SOCKET: address }, silentLogger);

  notifier.ready('ready on\n/run/x.sock');
  assert.equal(await next(), 'READY=1|STATUS=ready on /run/x.sock');

  const before = process.hrtime.bigint() / 1000n;
  notifier.reloading();
  const [, usec] = /^RELOADING=1\|MONOTONIC_USEC=(\d+)$/.exec(await next()) ?? [];
  assert.ok(BigInt(usec ?? 0) >= before && BigInt(usec ?? 0) <= process.hrtime.bigint() / 1000n);

  notifier.stopping('bye');
  assert.equal(await next(), 'STOPPING=1|STATUS=bye');
  notifier.alive();
  assert.equal(await next(), 'WATCHDOG=1');
});

test('an abstract address, as some container managers give, works too', async (t) => {
  const address = `@gantry-notify-${process.pid}-${Date.now()}`;
  const next = await startServiceManager(t, address);
  using notifier = openNotifier({ NOTIFY_SOCKET: address }, silentLogger);

  notifier.alive();

  assert.equal(await next(), 'WATCHDOG=1');
});

test('a manager that is gone is logged at debug and disturbs nothing', async (t) => {
  const logged: unknown[] = [];
  const log: Logger = { ...silentLogger, debug: (message, fields) => logged.push({ message, ...fields }) };
  const address = join(await temporaryFolder(t), 'absent');
  using notifier = openNotifier({ NOTIFY_SOCKET: address }, log);

  notifier.ready('x');

  assert.deepEqual(logged, [{ message: 'service manager not notified', sent: 'READY=1', why: `sendto ${address}: ENOENT` }]);
});

test('without a service manager nothing happens', () => {
  for (const NOTIFY_SOCKET of [undefined, '', 'relative', '/']) {
    using notifier = openNotifier({ NOTIFY_SOCKET, WATCHDOG_USEC: '1000' }, silentLogger);
    notifier.ready('x');
    assert.equal(notifier.watchdogMs, undefined);
  }
});

test('the watchdog counts only when it is meant for this process', async (t) => {
  const NOTIFY_SOCKET = join(await temporaryFolder(t), 'notify');
  const watchdogMs = (environment: Record<string, string>) => {
    using notifier = openNotifier({ NOTIFY_SOCKET, ...environment }, silentLogger);
    return notifier.watchdogMs;
  };

  assert.equal(watchdogMs({}), undefined);
  assert.equal(watchdogMs({ WATCHDOG_USEC: '3000000' }), 3000);
  assert.equal(watchdogMs({ WATCHDOG_USEC: '3000000', WATCHDOG_PID: String(process.pid) }), 3000);
  assert.equal(watchdogMs({ WATCHDOG_USEC: '3000000', WATCHDOG_PID: '1' }), undefined);
  assert.equal(watchdogMs({ WATCHDOG_USEC: 'soon' }), undefined);
});
