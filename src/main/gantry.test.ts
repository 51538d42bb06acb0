import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../host/spawn.ts';

const program = fileURLToPath(new URL('gantry.ts', import.meta.url));
const launcher = fileURLToPath(new URL('../../bin/gantry', import.meta.url));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function outcomeOf(file: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const { code, stdout, stderr } = await run(file, argv, { deadlineMs: 20_000, env: { PATH: '/usr/bin:/bin', ...env } });
  return { code, stdout: String(stdout), stderr: String(stderr) };
}

const gantry = (argv: readonly string[], env?: Readonly<Record<string, string>>) => outcomeOf(process.execPath, [program, ...argv], env);

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-program-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test('help lists the commands of the daemon and those for people', async () => {
  const { code, stdout } = await gantry(['--help']);

  assert.equal(code, 0);
  for (const command of ['serve', 'config', 'completion', 'pull', 'play']) assert.match(stdout, new RegExp(`^  ${command} +\\w`, 'm'));
  assert.equal((await gantry([])).stdout, stdout);
});

test('help of a command is what its --help says', async () => {
  for (const command of ['serve', 'config', 'pull', 'completion']) {
    const [help, flag] = await Promise.all([gantry(['help', command]), gantry([command, '--help'])]);
    assert.equal(help.code, 0, command);
    assert.match(help.stdout, /gantry /);
    assert.equal(help.stdout, flag.stdout);
  }
});

test('an unknown command is refused with what was meant', async () => {
  assert.deepEqual(await gantry(['pul', 'x']), { code: 2, stdout: '', stderr: 'gantry: unknown command pul: did you mean pull?\ntry: gantry help\n' });
});

test('--version is that of the package', async () => {
  assert.match((await gantry(['--version'])).stdout, /^gantry \d+\.\d+\.\d+\n$/);
});

test('the default configuration passes the check', async (t) => {
  const file = join(await temporaryFolder(t), 'config.toml');
  await writeFile(file, (await gantry(['config', 'default'])).stdout);

  assert.deepEqual(await gantry(['config', 'check', file]), { code: 0, stdout: `ok: ${file}\n`, stderr: '' });
});

test('config check tells all that is wrong, and exits with 1', async (t) => {
  const file = join(await temporaryFolder(t), 'config.toml');
  await writeFile(file, 'rot = 1\n[log]\nlevel = "loud"\n');

  assert.deepEqual(await gantry(['config', 'check', file], { GANTRY_SOKET: '/x' }), {
    code: 1,
    stdout: '',
    stderr: [
      'warning: environment GANTRY_SOKET is not a setting and is ignored: did you mean GANTRY_SOCKET?',
      `${file}: unknown key rot: did you mean root?`,
      `${file}: log.level = "loud": want debug, info, warn or error`,
      '',
    ].join('\n'),
  });
});

test('config show tells each value and its origin', async (t) => {
  const file = join(await temporaryFolder(t), 'config.toml');
  await writeFile(file, '[cni]\ntimeout = "90s"\n');

  const { code, stdout } = await gantry(['config', 'show', '--log-level=debug'], { GANTRY_CONFIG: file, GANTRY_ROOT: '/srv/gantry' });

  assert.equal(code, 0);
  assert.match(stdout, /^root = "\/srv\/gantry" +# environment GANTRY_ROOT$/m);
  assert.match(stdout, new RegExp(`^timeout = "90s" +# ${file}$`, 'm'));
  assert.match(stdout, /^level = "debug" +# flag --log-level$/m);
  assert.match(stdout, /^state = "\/run\/gantry" +# default$/m);
});

test('a wrong command line of config is usage, with exit code 2', async () => {
  assert.equal((await gantry(['config'])).stderr, 'gantry: config wants default, check or show\ntry: gantry help config\n');
  assert.equal((await gantry(['config', 'chek'])).stderr, 'gantry: unknown command config chek: did you mean check?\ntry: gantry help config\n');
  assert.equal((await gantry(['config', 'show', 'x'])).code, 2);
  assert.equal((await gantry(['config', 'check', '/a', '/b'])).code, 2);
});

test('registry explain tells whom a pull would ask, why and with whose credentials, and no secret', async (t) => {
  const etc = await temporaryFolder(t);
  await writeFile(join(etc, 'registries.conf'), '[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "m.local:5000/hub"\ninsecure = true\npull-from-mirror = "digest-only"\n');
  await writeFile(join(etc, 'auth.json'), '{"auths":{"m.local:5000":{"username":"bob","password":"hunter2"}}}');
  await writeFile(join(etc, 'config.toml'), `registries_conf = "${etc}/registries.conf"\nsignature_policy = "${etc}/policy.json"\n[registry]\nauth_files = ["${etc}/auth.json"]\nhosts_dirs = ["${etc}/none"]\ndocker_daemon_json = "${etc}/none"\nsignature_stores_dir = "${etc}/none"\n`);
  await writeFile(join(etc, 'policy.json'), JSON.stringify({ default: [{ type: 'reject' }], transports: { docker: { 'docker.io/library': [{ type: 'signedBy', keyType: 'GPGKeys', keyPaths: ['/a.gpg', '/b.gpg'] }, { type: 'sigstoreSigned', keyData: 'YQ==', signedIdentity: { type: 'matchRepository' } }] } } }));

  assert.deepEqual(await gantry(['registry', 'explain', 'busybox', '--config', join(etc, 'config.toml')]), {
    code: 0,
    stderr: '',
    stdout: `docker.io/library/busybox:latest
1. https://m.local:5000/v2/hub/library/busybox
     why          mirror of docker.io in ${etc}/registries.conf
     asked for    digests only
     trust        any certificate, or plain HTTP where it speaks no TLS
     credentials  user "bob" from ${etc}/auth.json (m.local:5000), unless the kubelet sends some
2. https://registry-1.docker.io/v2/library/busybox
     why          the registry itself
     asked for    tags and digests
     trust        the system's authorities
     credentials  none on this node; those that the kubelet sends would be used
signatures: by scope docker.io/library of the docker transport in ${etc}/policy.json, all of
1. signedBy: one signature of the manifest
     keys         /a.gpg or /b.gpg
     signed as    matchRepoDigestOrExact
     found in     file:///var/lib/containers/sigstore/library/busybox (the usual place, as ${etc}/none names none)
2. sigstoreSigned: one signature of the manifest
     keys         1 in the policy itself
     signed as    matchRepository
     found in     nothing: use-sigstore-attachments is not on for it in ${etc}/none
`,
  });
});

test('registry explain refuses bad names and files in words, a wrong command line with exit code 2', async (t) => {
  const file = join(await temporaryFolder(t), 'registries.conf');
  await writeFile(file, '[[registry]]');

  assert.deepEqual(await gantry(['registry', 'explain', 'busybox', '--registries-conf', file]), { code: 1, stdout: '', stderr: `gantry: read registries file ${file}: registry[0].location: want where the registry is, found nothing\n` });
  assert.match((await gantry(['registry', 'explain', 'busybox', '--registries-conf', `${file}.none`, '--signature-policy', file])).stderr, /^gantry: read signature policy .*; no image is taken until it is mended\n$/);
  assert.match((await gantry(['registry', 'explain', 'busybox', '--registries-conf', `${file}.none`, '--signature-policy', `${file}.none`])).stderr, /^gantry: read signature policy .*: ENOENT/);
  assert.match((await gantry(['registry', 'explain', 'BAD NAME'])).stderr, /^gantry: parse image reference "BAD NAME": /);
  assert.equal((await gantry(['registry'])).stderr, 'gantry: registry wants explain and an image\ntry: gantry help registry\n');
  assert.equal((await gantry(['registry', 'explian', 'x'])).stderr, 'gantry: unknown command registry explian: did you mean explain?\ntry: gantry help registry\n');
  assert.equal((await gantry(['registry', 'explain'])).stderr, 'gantry: registry explain wants an image\ntry: gantry help registry\n');
  assert.equal((await gantry(['registry', 'explain', 'a', 'b'])).code, 2);
});

test('the completion scripts know commands, flags and choices; bash accepts its own', async (t) => {
  const file = join(await temporaryFolder(t), 'completion.bash');
  const [bash, zsh, fish] = await Promise.all(['bash', 'zsh', 'fish'].map(async (shell) => (await gantry(['completion', shell])).stdout));
  await writeFile(file, bash!);

  for (const script of [bash!, zsh!, fish!]) {
    for (const word of ['serve', 'pull', 'registries-conf', 'cgroupfs', 'check']) assert.ok(script.includes(word), word);
  }
  const complete = async (...words: string[]) => {
    const script = `source ${file}; COMP_WORDS=(gantry ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _gantry; echo "\${COMPREPLY[@]}"`;
    return (await outcomeOf('/bin/bash', ['-c', script])).stdout.trim();
  };
  assert.equal(await complete('ser'), 'serve');
  assert.equal(await complete('serve', '--cni-'), '--cni-conf-dir --cni-bin-dir');
  assert.equal(await complete('serve', '--log-level', 'w'), 'warn');
  assert.equal(await complete('config', 'ch'), 'check');
  assert.equal(await complete('image', 'lo'), 'load');
  const { code, stderr } = await gantry(['completion', 'tcsh']);
  assert.equal(code, 2, stderr);
});

/** A checkout in which Node only says what it was called with. */
async function checkout(t: TestContext): Promise<string> {
  const home = await temporaryFolder(t);
  for (const folder of ['bin', 'node_modules/.bin', 'dist/main']) await mkdir(join(home, folder), { recursive: true });
  await copyFile(launcher, join(home, 'bin/gantry'));
  await writeFile(join(home, 'node_modules/.bin/node'), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
  await writeFile(join(home, 'dist/main/gantry.js'), '');
  return home;
}

test('the launcher runs the Node of its checkout, through whatever links it is called by', async (t) => {
  const home = await checkout(t);
  await symlink(join(home, 'bin/gantry'), join(home, 'absolute'));
  await symlink('../absolute', join(home, 'dist/relative'));

  const { code, stdout } = await outcomeOf(join(home, 'dist/relative'), ['pull', 'a b', '--x']);

  assert.equal(code, 0);
  assert.deepEqual(stdout.trim().split('\n').slice(-4), [join(home, 'dist/main/gantry.js'), 'pull', 'a b', '--x']);
});

test('the launcher says what is missing of the checkout and what to run', async (t) => {
  const home = await checkout(t);

  await rm(join(home, 'dist'), { recursive: true });
  assert.deepEqual(await outcomeOf(join(home, 'bin/gantry'), []), { code: 1, stdout: '', stderr: `gantry: there is no ${home}/dist/main/gantry.js (the compiled program): run "npm run setup" in ${home}\n` });
  await rm(join(home, 'node_modules'), { recursive: true });
  assert.match((await outcomeOf(join(home, 'bin/gantry'), [])).stderr, /there is no .*\/node_modules\/\.bin\/node \(Node\.js\): run "npm run setup" in /);
});

test('the unit file is one that systemd accepts', async (t) => {
  if (!existsSync('/usr/bin/systemd-analyze')) return t.skip('no systemd-analyze');
  const unit = join(await temporaryFolder(t), 'gantry.service');
  const text = await readFile(fileURLToPath(new URL('../../contrib/gantry.service', import.meta.url)), 'utf8');
  await writeFile(unit, text.replace('/usr/local/bin/gantry', '/bin/true')); // it looks for the program

  assert.deepEqual(await outcomeOf('/usr/bin/systemd-analyze', ['verify', unit]), { code: 0, stdout: '', stderr: '' });
});

test('a command loads only what it needs', async () => {
  const loaded = await outcomeOf(process.execPath, ['--input-type=module', '-e', `
    import { registerHooks } from 'node:module';
    registerHooks({ load: (url, context, next) => { if (url.startsWith('file:')) console.error(url); return next(url, context); } });
    process.argv = [process.argv[0], 'gantry', 'config', 'default'];
    await import(${JSON.stringify(program)});`]);

  assert.equal(loaded.code, 0);
  assert.match(loaded.stderr, /config-command/);
  assert.doesNotMatch(loaded.stderr, /grpc-js|koffi|face\/|serve/);
});
