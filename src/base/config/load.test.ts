import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { isKind } from '../errors.ts';
import { parseCommandLine } from './flags-layer.ts';
import { loadConfig, readConfig } from './load.ts';
import type { ConfigReading } from './load.ts';

interface Given {
  /** Text of the configuration file, and of drop-ins by name. */
  readonly file?: string;
  readonly dropIns?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly argv?: readonly string[];
}

/** Reads a configuration made on the spot. In what comes back, the folder is called DIR. */
async function reading(t: TestContext, given: Given): Promise<ConfigReading> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-config-'));
  t.after(() => rm(folder, { recursive: true }));
  const configFile = join(folder, 'config.toml');
  await writeFile(configFile, given.file ?? '');
  for (const [name, text] of Object.entries(given.dropIns ?? {})) {
    const path = join(`${configFile}.d`, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  const { flags } = parseCommandLine(given.argv ?? []);
  const result = await readConfig({ configFile, flags, environment: given.environment ?? {} });
  return { ...result, problems: result.problems.map((problem) => problem.replaceAll(folder, 'DIR')) };
}

test('an empty file means the defaults', async (t) => {
  const { loaded } = await reading(t, {});

  const { config, entries } = loaded!;
  assert.equal(config.root, '/var/lib/gantry');
  assert.deepEqual(config.cni.binDirs, ['/opt/cni/bin', '/usr/lib/cni']);
  assert.equal(config.grpc.maxMessageBytes, 16 * 1024 * 1024);
  assert.equal(config.runtime.handlers['crun']?.path, '/usr/bin/crun');
  assert.equal(entries.get('root')?.origin, 'default');
});

test('flags win over the environment, it over drop-ins, they over the file, it over the defaults', async (t) => {
  const level = async (given: Given) => (await reading(t, given)).loaded?.config.log.level;
  const file = '[log]\nlevel = "warn"';
  const dropIns = { '10-a.toml': '[log]\nlevel = "error"', '20-b.toml': 'log.level = "debug"', '.hidden.toml': '!', 'notes.txt': '!' };
  const environment = { GANTRY_LOG_LEVEL: 'info' };
  const argv = ['--log-level', 'warn'];

  assert.equal(await level({}), 'info');
  assert.equal(await level({ file }), 'warn');
  assert.equal(await level({ file, dropIns }), 'debug');
  assert.equal(await level({ file, dropIns, environment }), 'info');
  assert.equal(await level({ file, dropIns, environment, argv }), 'warn');
});

test('a layer overrides only the settings that it names', async (t) => {
  const { loaded } = await reading(t, { file: 'root = "/a/b"\n[log]\nformat = "json"', dropIns: { 'x.toml': '[log]\nlevel = "error"' } });

  assert.equal(loaded?.config.root, '/a/b');
  assert.deepEqual(loaded?.config.log, { level: 'error', format: 'json' });
  assert.match(loaded?.entries.get('log.level')?.origin ?? '', /config\.toml\.d\/x\.toml$/);
  assert.equal(loaded?.files.length, 2);
});

test('every fault of every layer is told at once, with place, key, value and what is wanted', async (t) => {
  const { loaded, problems } = await reading(t, {
    file: 'rooot = "/x/y"\nstate = "run"\nlog = 3\n[cni]\ntimeout = 30\nconf-dir = "/x"',
    dropIns: { 'a.toml': '[grpc]\nmax_message_bytes = "1KiB"', 'b.toml': 'this is not = toml = at all' },
    environment: { GANTRY_IMAGE_MAX_PARALLEL_LAYERS: 'many' },
    argv: ['--cgroup-driver', 'systemdd'],
  });

  assert.equal(loaded, undefined);
  const [invalid] = problems.filter((problem) => problem.includes('not TOML'));
  assert.match(invalid ?? '', /^DIR\/config\.toml\.d\/b\.toml: not TOML: /);
  assert.deepEqual(problems.filter((problem) => problem !== invalid), [
    'DIR/config.toml: unknown key rooot: did you mean root?',
    'DIR/config.toml: state = "run": want an absolute path at least two levels deep, of a folder for gantry alone',
    'DIR/config.toml: log = 3: want a table: write [log]',
    'DIR/config.toml: cni.timeout = 30: want a duration such as "30s", from 1s to 10m',
    'DIR/config.toml: unknown key cni.conf-dir: did you mean cni.conf_dir?',
    'DIR/config.toml.d/a.toml: grpc.max_message_bytes = "1KiB": want a size such as "16MiB", from 1MiB to 256MiB',
    'environment GANTRY_IMAGE_MAX_PARALLEL_LAYERS: image.max_parallel_layers = "many": want a whole number from 1 to 32',
    'flag --cgroup-driver: cgroup.driver = "systemdd": want auto, cgroupfs or systemd',
  ]);
});

test('every setting can be set by its environment variable; an empty one counts as not set', async (t) => {
  const { loaded } = await reading(t, { environment: { GANTRY_CNI_BIN_DIRS: '/a,/b', GANTRY_GRPC_MAX_MESSAGE_BYTES: '4MiB', GANTRY_ROOT: '' } });

  assert.deepEqual(loaded?.config.cni.binDirs, ['/a', '/b']);
  assert.equal(loaded?.config.grpc.maxMessageBytes, 4 << 20);
  assert.equal(loaded?.entries.get('root')?.origin, 'default');
});

test('a GANTRY_ variable that means nothing is warned of', async (t) => {
  const { warnings, loaded } = await reading(t, { environment: { GANTRY_LOG_LEVLE: 'debug', OTHER: 'x' } });

  assert.deepEqual(warnings, ['environment GANTRY_LOG_LEVLE is not a setting and is ignored: did you mean GANTRY_LOG_LEVEL?']);
  assert.ok(loaded);
});

test('handlers are added and changed by name, those not named stay', async (t) => {
  const { loaded } = await reading(t, { file: '[runtime]\ndefault_handler = "runsc"\n[runtime.handlers.runsc]\npath = "/usr/bin/runsc"\n[runtime.handlers.crun]\npath = "/opt/crun"' });

  const paths = Object.entries(loaded?.config.runtime.handlers ?? {}).map(([name, { path }]) => `${name} ${path}`);
  assert.deepEqual(paths.sort(), ['crun /opt/crun', 'runc /usr/bin/runc', 'runsc /usr/bin/runsc']);
});

test('a handler with a name that no RuntimeClass can have, or without a path, is refused', async (t) => {
  const { problems } = await reading(t, { file: '[runtime.handlers.Big]\npath="/x"\n[runtime.handlers.empty]\n[runtime.handlers.odd]\npath="/x"\nargs="y"\n[runtime.handlers]\nflat="/x"' });

  assert.deepEqual(problems, [
    'DIR/config.toml: runtime.handlers.Big: want a name of lower-case letters, digits and dashes, 63 at most (a RuntimeClass handler)',
    'DIR/config.toml: runtime.handlers.empty.path is missing: want an absolute path',
    'DIR/config.toml: unknown key runtime.handlers.odd.args',
    'DIR/config.toml: runtime.handlers.flat = "/x": want a table: write [runtime.handlers.flat]',
  ]);
});

test('looking up a handler that is not there finds nothing, whatever its name', async (t) => {
  const { loaded } = await reading(t, {});

  assert.equal(loaded?.config.runtime.handlers['constructor'], undefined);
});

test('settings that contradict each other are refused where they were written', async (t) => {
  const unknown = await reading(t, { argv: ['--default-handler', 'kata'] });
  const same = await reading(t, { file: 'root = "/srv/gantry"\nstate = "/srv/gantry/"' });

  assert.deepEqual(unknown.problems, ['flag --default-handler: runtime.default_handler = "kata": want one of the handlers: crun, runc']);
  assert.deepEqual(same.problems, ['DIR/config.toml: state = "/srv/gantry": want a folder other than root, as a reboot may empty it']);

  const docker = await reading(t, { file: 'socket = "/run/g.sock"\n[docker_api]\nsocket = "/run/g.sock"' });
  assert.deepEqual(docker.problems, ['DIR/config.toml: docker_api.socket = "/run/g.sock": want a path other than that of socket']);

  const handler = await reading(t, { file: '[runtime.handlers.kata]\npath = "/usr/bin/kata"\nprivileged_without_host_devices_all_devices_allowed = true' });
  assert.deepEqual(handler.problems, ['DIR/config.toml: runtime.handlers.kata.privileged_without_host_devices_all_devices_allowed = true: want false, unless privileged_without_host_devices is true']);

  const cert = await reading(t, { file: '[streaming]\ntls_cert_file = "/etc/tls.crt"' });
  assert.deepEqual(cert.problems, ['DIR/config.toml: streaming.tls_cert_file = "/etc/tls.crt": want "" unless tls_key_file is set too']);
  const key = await reading(t, { file: '[streaming]\ntls_key_file = "/etc/tls.key"' });
  assert.deepEqual(key.problems, ['DIR/config.toml: streaming.tls_key_file = "/etc/tls.key": want "" unless tls_cert_file is set too']);
});

test('a file that is named has to exist and be one', async () => {
  const read = (configFile: string) => readConfig({ configFile, flags: new Map(), environment: {} });

  assert.deepEqual((await read('/nonexistent/gantry.toml')).problems, ['/nonexistent/gantry.toml: no such file']);
  assert.deepEqual((await read('/')).problems, ['/: not a regular file']);
});

test('a file too large to be a configuration is not read', async (t) => {
  const { problems } = await reading(t, { file: `#${'x'.repeat(1 << 20)}` });

  assert.deepEqual(problems, ['DIR/config.toml: larger than 1048576 bytes']);
});

test('keys that would print as something else are quoted in messages', async (t) => {
  const { problems } = await reading(t, { file: '"a\\nb" = 1\n"__proto__" = 2' });

  assert.deepEqual(problems, ['DIR/config.toml: unknown key "a\\nb"', 'DIR/config.toml: unknown key __proto__']);
});

test('loading throws all problems as one invalid-argument', async () => {
  const { flags } = parseCommandLine(['--root', 'x', '--state', 'y']);

  await assert.rejects(loadConfig({ flags, environment: {} }), (error: Error) => {
    assert.ok(isKind(error, 'invalid-argument'));
    assert.match(error.message, /^load configuration: flag --root: .*\nflag --state: /);
    return true;
  });
});

test('a handler has the defaults of what it does not say, whatever an earlier file said', async (t) => {
  const handler = '[runtime.handlers.crun]\npath = "/usr/bin/crun"\n';
  const { loaded } = await reading(t, { file: `${handler}allowed_annotations = ["a.*"]\ncreate_timeout = "5m"`, dropIns: { 'x.toml': `${handler}create_timeout = "1m"` } });

  assert.deepEqual(loaded?.config.runtime.handlers['crun'], {
    path: '/usr/bin/crun', flags: [], allowedAnnotations: [], defaultAnnotations: {}, baseSpec: '', privilegedWithoutHostDevices: false, privilegedWithoutHostDevicesAllDevicesAllowed: false, createTimeout: 60_000, minMemory: 0, cniConfDir: '', snapshotter: 'node', seccompProfile: '',
  });
});

test('wrong defaults for containers are told with what is wanted', async (t) => {
  const { problems } = await reading(t, {
    file: '[container]\ndefault_ulimits = ["nofile=5:1"]\numask = 22\ndefault_capabilities = ["CHWON"]\ntimezone = "../etc"\npids_limit = -1\n[runtime.handlers.x]\npath = "/x"\nflags = ["--root=/y"]',
  });

  assert.deepEqual(problems.map((problem) => problem.replace(/: want .*/, '')), [
    'DIR/config.toml: container.default_ulimits = ["nofile=5:1"]',
    'DIR/config.toml: container.umask = 22',
    'DIR/config.toml: container.default_capabilities = ["CHWON"]',
    'DIR/config.toml: container.timezone = "../etc"',
    'DIR/config.toml: container.pids_limit = -1',
    'DIR/config.toml: runtime.handlers.x.flags = ["--root=/y"]',
  ]);
  assert.match(problems[0] ?? '', /: want a list of limits such as "nofile=1024:524288" \(soft:hard, -1 for unlimited\)/);
});
