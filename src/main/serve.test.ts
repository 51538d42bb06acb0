import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startServiceManager } from '../host/service-manager.fake.ts';
import { startDaemon, temporaryFolder } from './daemon.fake.ts';
import type { Daemon, LogRecord } from './daemon.fake.ts';

const messages = (daemon: Daemon): unknown[] => daemon.records.map(({ msg }) => msg);
const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8);

test('it starts, says that it is ready, and SIGTERM stops it in the order in which it was built, backwards', async (t) => {
  const folder = await temporaryFolder(t);
  const daemon = startDaemon(t, { folder });

  const ready = await daemon.seen('ready');
  assert.equal(ready['socket'], `${folder}/state/gantry.sock`);
  assert.equal(modeOf(`${folder}/root`), '711');
  assert.equal(modeOf(`${folder}/state`), '711');

  daemon.signal('SIGTERM');
  assert.equal(await daemon.ended(), 0);
  assert.deepEqual(messages(daemon), ['starting', 'engine built', 'ready', 'stopping, containers keep running', 'socket closed', 'engine closed', 'stopped']);
});

test('folders of its own that others could read are closed to them (CVE-2021-41103)', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(`${folder}/root`);
  await writeFile(`${folder}/root/gantry.lock`, '');
  await mkdir(`${folder}/state`);
  await chmod(`${folder}/root`, 0o777);
  await chmod(`${folder}/state`, 0o755);

  await startDaemon(t, { folder }).seen('ready');

  assert.equal(modeOf(`${folder}/root`), '711');
  assert.equal(modeOf(`${folder}/state`), '711');
});

test("a folder that holds somebody else's files is refused, and left as it is", async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(`${folder}/root/photos`, { recursive: true });
  await chmod(`${folder}/root`, 0o755);
  const daemon = startDaemon(t, { folder });

  const { error } = await daemon.seen('gantry serve ends');

  assert.equal(await daemon.ended(), 1);
  assert.deepEqual(error, {
    kind: 'failed-precondition',
    message: `use as root ${folder}/root: it is open to other users and holds what is not gantry's (photos): choose a folder for gantry alone, or chmod it to 0711`,
  });
  assert.equal(modeOf(`${folder}/root`), '755');
});

test('a second daemon on the same root, state or socket is refused, naming the first', async (t) => {
  const folder = await temporaryFolder(t);
  const first = startDaemon(t, { folder });
  await first.seen('ready');
  const other = ['--root', `${folder}/root2`, '--state', `${folder}/state2`, '--socket', `${folder}/two.sock`];

  for (const [flag, path] of [['--root', `${folder}/root`], ['--state', `${folder}/state`], ['--socket', `${folder}/state/gantry.sock`]] as const) {
    const second = startDaemon(t, { folder, argv: [...other, flag, path] });
    const { error } = await second.seen('gantry serve ends');
    assert.equal(await second.ended(), 1);
    const message = `lock ${path}: gantry serve runs with it already, as process ${first.pid}: stop that one, or give this one another ${flag}`;
    assert.ok(String((error as LogRecord)['message']).startsWith(message), JSON.stringify(error));
    assert.ok(!messages(second).includes('engine built'));
  }
  first.signal('SIGTERM');
  assert.equal(await first.ended(), 0);
});

test('a daemon killed with -9 leaves no lock behind', async (t) => {
  const folder = await temporaryFolder(t);
  const first = startDaemon(t, { folder });
  await first.seen('ready');

  first.signal('SIGKILL');
  await first.ended();
  await rm(`${folder}/state/gantry.sock`); // unlinking a stale socket is the CRI server's work
  const second = startDaemon(t, { folder });
  await second.seen('ready');

  assert.equal(await readFile(`${folder}/root/gantry.lock`, 'utf8'), `${second.pid}\n`);
});

test('SIGHUP applies what can be applied and names what waits for a restart', async (t) => {
  const folder = await temporaryFolder(t);
  const config = join(folder, 'config.toml');
  await writeFile(config, '');
  const daemon = startDaemon(t, { folder, argv: ['--config', config] });
  await daemon.seen('ready');

  await writeFile(config, '[log]\nlevel = "debug"\n[runtime]\ndefault_handler = "runc"\nconmon = "/opt/conmon"');
  daemon.signal('SIGHUP');

  assert.equal((await daemon.seen('engine reloaded'))['defaultHandler'], 'runc');
  assert.deepEqual((await daemon.seen('configuration reloaded'))['changed'], ['log.level: "info" -> "debug"', 'runtime.default_handler: "crun" -> "runc"']);
  assert.deepEqual((await daemon.seen('changes that only a restart applies'))['waiting'], ['runtime.conmon: "/usr/bin/conmon" -> "/opt/conmon"']);
  daemon.signal('SIGUSR1');
  await daemon.seen('seen at debug');
});

test('a broken file changes nothing at a reload, and the next good one does', async (t) => {
  const folder = await temporaryFolder(t);
  const config = join(folder, 'config.toml');
  await writeFile(config, '');
  const daemon = startDaemon(t, { folder, argv: ['--config', config] });
  await daemon.seen('ready');

  await writeFile(config, '[log]\nlevel = "debug"\n[runtime]\ndefault_handler = "nope"');
  daemon.signal('SIGHUP');
  assert.deepEqual((await daemon.seen('reload refused, nothing changed'))['problems'], [`${config}: runtime.default_handler = "nope": want one of the handlers: crun, runc`]);
  daemon.signal('SIGUSR1');
  await writeFile(config, '');
  daemon.signal('SIGHUP');
  assert.deepEqual((await daemon.seen('configuration reloaded'))['changed'], []);

  assert.ok(!messages(daemon).includes('seen at debug'));
});

test('when the engine refuses a reload, the log keeps its level too', async (t) => {
  const folder = await temporaryFolder(t);
  const config = join(folder, 'config.toml');
  await writeFile(config, '');
  const daemon = startDaemon(t, { folder, argv: ['--config', config], env: { FAKE: 'reload-refused' } });
  await daemon.seen('ready');

  await writeFile(config, 'log.level = "debug"');
  daemon.signal('SIGHUP');

  assert.deepEqual((await daemon.seen('reload failed, nothing changed'))['error'], { kind: 'failed-precondition', message: 'reload engine: not now' });
  daemon.signal('SIGUSR1');
  daemon.signal('SIGTERM');
  assert.equal(await daemon.ended(), 0);
  assert.ok(!messages(daemon).includes('seen at debug'));
});

test('the service manager hears of start, reload, stop and life', async (t) => {
  const folder = await temporaryFolder(t);
  const address = join(folder, 'notify');
  const heard = await startServiceManager(t, address);
  const daemon = startDaemon(t, { folder, env: { NOTIFY_SOCKET: address, WATCHDOG_USEC: '200000' } });

  const all: string[] = [];
  const until = async (form: RegExp) => {
    do all.push(await heard());
    while (!form.test(all.at(-1)!));
  };
  await until(/^READY=1/);
  await until(/^WATCHDOG=1/);
  daemon.signal('SIGHUP');
  await until(/^RELOADING=1/);
  await until(/^READY=1/);
  await until(/^WATCHDOG=1/);
  daemon.signal('SIGTERM');
  await until(/^STOPPING=1/);

  const told = all.filter((message) => message !== 'WATCHDOG=1').map((message) => message.replaceAll(folder, 'DIR').replace(/\d{4,}/, 'N'));
  assert.deepEqual(told, ['READY=1|STATUS=ready on DIR/state/gantry.sock', 'RELOADING=1|MONOTONIC_USEC=N', 'READY=1', 'STOPPING=1|STATUS=SIGTERM: stopping, containers keep running']);
});

test('the watchdog falls silent when the engine does not answer', async (t) => {
  const folder = await temporaryFolder(t);
  const address = join(folder, 'notify');
  const heard = await startServiceManager(t, address);
  const daemon = startDaemon(t, { folder, env: { NOTIFY_SOCKET: address, WATCHDOG_USEC: '100000', FAKE: 'engine-hangs' } });

  await daemon.seen('engine did not answer the watchdog in time');
  daemon.signal('SIGTERM');

  assert.match(await heard(), /^READY=1/);
  assert.match(await heard(), /^STOPPING=1/);
});

test('a second signal ends a stop that hangs', async (t) => {
  const folder = await temporaryFolder(t);
  const daemon = startDaemon(t, { folder, env: { FAKE: 'close-hangs' } });
  await daemon.seen('ready');

  daemon.signal('SIGTERM');
  await daemon.seen('engine closed');
  daemon.signal('SIGINT');

  assert.equal(await daemon.ended(), 1);
});

test('what nobody caught is logged with its stack and ends the daemon', async (t) => {
  const folder = await temporaryFolder(t);
  const daemon = startDaemon(t, { folder, env: { FAKE: 'dies-of-usr2' } });
  await daemon.seen('ready');

  daemon.signal('SIGUSR2');

  const record = await daemon.seen('gantry serve dies of a fault of its own');
  assert.equal(record['origin'], 'unhandledRejection');
  assert.match(String(record['stack']), /Error: a bug\n {4}at .*serve\.fake\.ts/);
  assert.equal(await daemon.ended(), 1);
});

test('a start that fails says why and lets go of everything', async (t) => {
  const folder = await temporaryFolder(t);
  const failing = startDaemon(t, { folder, env: { FAKE: 'build-fails' } });

  assert.deepEqual((await failing.seen('gantry serve ends'))['error'], { kind: 'unavailable', message: 'open store: disk is full' });
  assert.equal(await failing.ended(), 1);
  assert.ok(!existsSync(`${folder}/state/gantry.sock`));
  await startDaemon(t, { folder }).seen('ready');
});

test('the daemon lives on when nobody reads its log any more', async (t) => {
  const folder = await temporaryFolder(t);
  const address = join(folder, 'notify');
  const heard = await startServiceManager(t, address);
  const daemon = startDaemon(t, { folder, env: { NOTIFY_SOCKET: address } });
  await daemon.seen('ready');
  assert.match(await heard(), /^READY=1/);

  daemon.stopReading();
  for (let time = 0; time < 3; time++) {
    daemon.signal('SIGHUP'); // logs into the broken pipe
    assert.match(await heard(), /^RELOADING=1/);
    assert.match(await heard(), /^READY=1/);
  }
  daemon.signal('SIGTERM');

  assert.equal(await daemon.ended(), 0);
});

test('a wrong configuration ends the start with all its faults, a wrong command line with usage', async (t) => {
  const folder = await temporaryFolder(t);
  const wrong = startDaemon(t, { folder, argv: ['--log-level', 'loud', '--cgroup-driver', 'x'] });
  const unknown = startDaemon(t, { folder, argv: ['--rooot', '/x', 'operand'] });

  assert.equal(await wrong.ended(), 1);
  assert.equal(wrong.text, 'gantry: load configuration: flag --log-level: log.level = "loud": want debug, info, warn or error\nflag --cgroup-driver: cgroup.driver = "x": want auto, cgroupfs or systemd\n');
  assert.equal(await unknown.ended(), 2);
  assert.equal(unknown.text, 'gantry: unknown flag --rooot: did you mean --root?\ngantry: serve takes no operand: /x\ngantry: serve takes no operand: operand\ntry: gantry help serve\n');
});
