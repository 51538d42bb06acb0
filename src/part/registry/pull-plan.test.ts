/** Whom a pull asks, for each way in which people write it down. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { AuthConfig } from '../../gen/cri.ts';
import { planPull, readRegistryView, ruleFor } from './pull-plan.ts';
import type { PullSource, RegistryFiles } from './pull-plan.ts';
import { parseReference } from './reference.ts';

const noAuth: AuthConfig = { username: '', password: '', auth: '', serverAddress: '', identityToken: '', registryToken: '' };
const secret = { ...noAuth, username: 'kubelet', password: 'p' };

interface Node extends RegistryFiles {
  plan(image: string, auth?: AuthConfig): Promise<readonly PullSource[]>;
  /** Address, path and schemes of each source. */
  urls(image: string): Promise<string[]>;
}

/** A node with these files; names are relative to its /etc. */
async function makeNode(t: TestContext, contents: Readonly<Record<string, string>>): Promise<Node> {
  const etc = await mkdtemp(join(tmpdir(), 'gantry-plan-'));
  t.after(() => rm(etc, { recursive: true }));
  for (const [name, text] of Object.entries(contents)) {
    await mkdir(dirname(join(etc, name)), { recursive: true });
    await writeFile(join(etc, name), text);
  }
  const files = { registriesConf: join(etc, 'registries.conf'), hostsDirs: [join(etc, 'certs.d')], dockerDaemonJson: join(etc, 'daemon.json'), authFiles: [join(etc, 'auth.json')] };
  const plan = async (image: string, auth?: AuthConfig) => (await planPull(parseReference(image), auth, await readRegistryView(files))).sources;
  return {
    ...files, plan,
    urls: async (image) => (await plan(image)).map(({ endpoint }) => `${endpoint.rule.schemes.join('|')}://${endpoint.address}${endpoint.apiPath ?? '/v2'}/${endpoint.repository}`),
  };
}

test('without any file the registry itself is asked over HTTPS; this machine\'s own may speak what they like', async (t) => {
  const node = await makeNode(t, {});

  assert.deepEqual(await node.urls('busybox'), ['https://registry-1.docker.io/v2/library/busybox']);
  assert.deepEqual(await node.urls('localhost:5000/app'), ['https|http://localhost:5000/v2/app']);
  assert.deepEqual((await node.plan('ghcr.io/a/b')).map(({ because, credentials }) => [because, credentials.kind]), [['the registry itself', 'anonymous']]);
});

test('registries.conf: mirrors first, then the location, each with its own trust', async (t) => {
  const node = await makeNode(t, {
    'registries.conf': `
      [[registry]]
      prefix = "docker.io"
      location = "hub.local/proxy"
      [[registry.mirror]]
      location = "fast.local:5000/hub"
      insecure = true
      [[registry.mirror]]
      location = "late.local"
      pull-from-mirror = "digest-only"
      [[registry]]
      prefix = "docker.io/bad"
      blocked = true`,
    'certs.d/hub.local/ca.crt': '',
  });

  const sources = await node.plan('busybox');

  assert.deepEqual(await node.urls('busybox'), ['https|http://fast.local:5000/v2/hub/library/busybox', 'https://late.local/v2/library/busybox', 'https://hub.local/v2/proxy/library/busybox']);
  assert.deepEqual(sources.map(({ serves }) => serves.tags), [true, false, true]);
  assert.match(sources[2]!.because, /^location of docker.io in .*registries.conf$/);
  assert.match(String(sources[2]!.endpoint.rule.caFiles), /certs.d\/hub.local\/ca.crt$/);
  await assert.rejects(node.plan('bad/x'), /pull image docker.io\/bad\/x: registry docker.io\/bad is blocked in .*registries.conf/);
});

test('hosts.toml: its hosts in order, who cannot resolve is asked for digests, and mirrors hear whose image is meant', async (t) => {
  const node = await makeNode(t, {
    'certs.d/r.io/hosts.toml': `
      [host."https://m.local"]
      capabilities = ["pull"]
      [host."https://push.local"]
      capabilities = ["push"]
      [host."https://r.io"]
      ca = "own.crt"`,
    'certs.d/only.io/hosts.toml': 'server = "http://inside.local:80/v2"',
    'certs.d/trust.io/hosts.toml': 'ca = "own.crt"',
  });

  const sources = await node.plan('r.io/app');

  assert.deepEqual(await node.urls('r.io/app'), ['https://m.local/v2/app', 'https://r.io/v2/app']);
  assert.deepEqual(sources.map(({ endpoint, serves }) => [endpoint.namespace, serves.tags]), [['r.io', false], [undefined, true]]);
  assert.match(String(sources[1]?.endpoint.rule.caFiles), /certs.d\/r.io\/own.crt$/);
  assert.deepEqual(await node.urls('only.io/app'), ['http://inside.local/v2/app']);
  assert.match(String((await node.plan('trust.io/app'))[0]?.endpoint.rule.caFiles), /certs.d\/trust.io\/own.crt$/);
});

test('daemon.json: mirrors of Docker Hub only, insecure registries by name and network', async (t) => {
  const node = await makeNode(t, { 'daemon.json': '{"registry-mirrors":["http://m.local/"],"insecure-registries":["r.io:5000","10.0.0.0/8"]}' });

  assert.deepEqual(await node.urls('busybox'), ['http://m.local/v2/library/busybox', 'https://registry-1.docker.io/v2/library/busybox']);
  assert.deepEqual(await node.urls('r.io:5000/a'), ['https|http://r.io:5000/v2/a']);
  assert.deepEqual(await node.urls('10.1.1.1/a'), ['https|http://10.1.1.1/v2/a']);
  assert.deepEqual(await node.urls('r.io/a'), ['https://r.io/v2/a']);
  await assert.rejects((await makeNode(t, { 'daemon.json': '{"registry-mirrors":["m.local"]}' })).plan('busybox'), /registry-mirrors: "m.local" is not a web address/);
});

test('the first file that knows mirrors decides', async (t) => {
  const node = await makeNode(t, {
    'registries.conf': '[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "podman.local"',
    'certs.d/docker.io/hosts.toml': '[host."https://containerd.local"]',
    'daemon.json': '{"registry-mirrors":["https://docker.local"]}',
  });

  assert.deepEqual(await node.urls('busybox'), ['https://podman.local/v2/library/busybox', 'https://registry-1.docker.io/v2/library/busybox']);
});

test('the caller\'s credentials go to the registry, to a mirror only when they name it', async (t) => {
  const node = await makeNode(t, {
    'registries.conf': '[[registry]]\nlocation = "r.io"\n[[registry.mirror]]\nlocation = "m.io"',
    'auth.json': JSON.stringify({ auths: { 'm.io': { username: 'disk', password: 'p' }, 'r.io': { username: 'disk', password: 'p' } } }),
  });
  const users = async (auth?: AuthConfig) => (await node.plan('r.io/app', auth)).map(({ credentials }) => (credentials.kind === 'basic' ? credentials.username : credentials.kind));

  assert.deepEqual(await users(), ['disk', 'disk']);
  assert.deepEqual(await users(secret), ['disk', 'kubelet']);
  assert.deepEqual(await users({ ...secret, serverAddress: 'https://r.io' }), ['disk', 'kubelet']);
  assert.deepEqual(await users({ ...secret, serverAddress: 'm.io' }), ['kubelet', 'disk']);
  assert.deepEqual(await users({ ...secret, serverAddress: 'other.io' }), ['disk', 'disk']);
});

test('credentials for a registry also serve the place where registries.conf says it is', async (t) => {
  const node = await makeNode(t, { 'registries.conf': '[[registry]]\nprefix = "docker.io"\nlocation = "moved.io/hub"' });

  for (const serverAddress of ['', 'https://index.docker.io/v1/', 'moved.io']) {
    const [source] = await node.plan('busybox', { ...secret, serverAddress });
    assert.deepEqual([source?.endpoint.host, source?.credentials.kind, source?.credentialsFrom], ['moved.io', 'basic', 'the caller (imagePullSecrets)'], serverAddress);
  }
});

test('a host that a registry redirects to is trusted by what the files say of its own name', async (t) => {
  const node = await makeNode(t, { 'registries.conf': '[[registry]]\nlocation = "plain.io"\ninsecure = true', 'certs.d/cdn.io/ca.crt': '' });
  const view = await readRegistryView(node);

  assert.deepEqual(await ruleFor(view, 'plain.io'), { schemes: ['https', 'http'], skipVerify: true });
  assert.match(String((await ruleFor(view, 'cdn.io')).caFiles), /cdn.io\/ca.crt$/);
  assert.deepEqual(await ruleFor(view, 'other.io'), { schemes: ['https'] });
});

test('a location without a repository is refused', async (t) => {
  const node = await makeNode(t, { 'registries.conf': '[[registry]]\nprefix = "docker.io/library/busybox"\nlocation = "m.io"' });

  await assert.rejects(node.plan('busybox'), /pull image docker.io\/library\/busybox: .*registries.conf sends it to "m.io", which has no repository/);
});
