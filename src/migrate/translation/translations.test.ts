/** What becomes of other runtimes' settings, row by row; all that is made of them is a configuration that Gantry takes. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { readConfig } from '../../base/config/load.ts';
import { renderConfig } from '../survey.ts';
import { translateContainerdConfig } from './containerd-config.ts';
import { parseFlags, translateCriDockerdFlags } from './cri-dockerd-flags.ts';
import { translateDaemonJson } from './daemon-json.ts';
import { configOf } from './translation.ts';
import type { Config, Translation } from './translation.ts';

/** Told as `verdict setting`, with what it becomes. */
function told(translations: readonly Translation[]): [string, Config | undefined][] {
  return translations.map(({ verdict, setting, becomes }) => [`${verdict} ${setting}`, becomes]);
}

async function faultsOf(config: Config): Promise<readonly string[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'gantry-translated-'));
  const file = path.join(folder, 'config.toml');
  writeFileSync(file, renderConfig(config));
  const { problems } = await readConfig({ configFile: file, flags: new Map(), environment: {} } as never);
  rmSync(folder, { recursive: true });
  return problems;
}

const docker = {
  'registry-mirrors': ['https://mirror.example'], 'exec-opts': ['native.cgroupdriver=systemd', 'native.other=1'],
  'default-ulimits': { nofile: { Name: 'nofile', Soft: 1024, Hard: 4096 }, memlock: { Name: 'memlock', Soft: -1, Hard: -1 } },
  'runtimes': { crun: { path: '/usr/bin/crun', runtimeArgs: ['--debug'] }, shim: { runtimeType: 'io.containerd.kata.v2' } }, 'default-runtime': 'crun',
  'log-driver': 'journald', 'log-opts': { 'max-size': '10m', 'labels': 'a' }, 'max-concurrent-downloads': 40, 'live-restore': true, 'storage-driver': 'overlay2', 'data-root': '/srv/docker',
  'seccomp-profile': '/etc/docker/seccomp.json', 'selinux-enabled': false, 'bip': '172.26.0.1/16', 'dns': ['10.0.0.2'], 'hosts': ['tcp://0.0.0.0:2376'], 'userns-remap': 'default', 'debug': true, 'features': { 'containerd-snapshotter': true, 'buildkit': true },
  'cdi-spec-dirs': ['/etc/cdi'], 'no-such-thing': 1, 'log-format': 'text', 'default-shm-size': '128M',
};

test("each setting of Docker's daemon.json is told with what becomes of it", async () => {
  const translations = translateDaemonJson(JSON.stringify(docker), '/etc/docker/daemon.json');

  assert.deepEqual(told(translations), [
    ['maps registry-mirrors', {}],
    ['maps exec-opts', { 'cgroup.driver': 'systemd' }],
    ['lost exec-opts', undefined],
    ['maps default-ulimits', { 'container.default_ulimits': ['nofile=1024:4096', 'memlock=-1:-1'] }],
    ['maps runtimes', { 'runtime.handlers.crun.path': '/usr/bin/crun', 'runtime.handlers.crun.flags': ['--debug'] }],
    ['lost runtimes', undefined],
    ['maps default-runtime', { 'runtime.default_handler': 'crun' }],
    ['lost log-driver', undefined],
    ['changes log-opts', undefined],
    ['lost log-opts', undefined],
    ['maps max-concurrent-downloads', { 'image.max_parallel_layers': 16 }],
    ['maps live-restore', undefined],
    ['maps storage-driver', undefined],
    ['needless data-root', undefined],
    ['maps seccomp-profile', { 'container.seccomp_profile': '/etc/docker/seccomp.json' }],
    ['maps selinux-enabled', { 'security.disable_selinux': true }],
    ['needless bip', undefined],
    ['needless dns', undefined],
    ['lost hosts', undefined],
    ['lost userns-remap', undefined],
    ['maps debug', { 'log.level': 'debug' }],
    ['changes features', undefined],
    ['needless features', undefined],
    ['maps cdi-spec-dirs', { 'cdi.dirs': ['/etc/cdi'] }],
    ['lost no-such-thing', undefined],
    ['maps log-format', { 'log.format': 'auto' }],
    ['changes default-shm-size', undefined],
  ]);
  assert.deepEqual(await faultsOf(configOf(translations)), []);
});

test('what is not as its documentation says is told as lost with what was wanted, and an empty file says nothing', () => {
  const [row] = translateDaemonJson('{"default-ulimits":{"nofile":{"Soft":"x"}}}', '/etc/docker/daemon.json');

  assert.deepEqual([row!.verdict, row!.note], ['lost', 'it cannot be read: default-ulimits.nofile.Soft: want a whole number from -1 to 9007199254740991, found "x"']);
  assert.deepEqual(translateDaemonJson(' \n', '/etc/docker/daemon.json'), []);
  assert.deepEqual(translateDaemonJson('{"insecure-registries":["a:1"]}', '/srv/daemon.json')[0]!.becomes, { 'registry.docker_daemon_json': '/srv/daemon.json' });
  assert.throws(() => translateDaemonJson('{', '/etc/docker/daemon.json'), /JSON/);
});

const runc = (plugin: string, nested = 'containerd.') => `
[plugins."${plugin}"]
  [plugins."${plugin}".${nested}runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    pod_annotations = ["io.a/*"]
    [plugins."${plugin}".${nested}runtimes.runc.options]
      SystemdCgroup = true
  [plugins."${plugin}".${nested}runtimes.copied]
    runtime_type = "io.containerd.runc.v2"
    snapshotter = "native"
  [plugins."${plugin}".${nested}runtimes.kata]
    runtime_type = "io.containerd.kata.v2"
  [plugins."${plugin}".${nested}runtimes.crun]
    runtime_type = "io.containerd.runc.v2"
    snapshotter = "nydus"
    cni_conf_dir = "/etc/cni/crun.d"
    [plugins."${plugin}".${nested}runtimes.crun.options]
      BinaryName = "/usr/local/bin/crun"
`;

test("each setting of containerd's CRI plugin is told, in every version of its file", async () => {
  const versions = {
    'cri': `[plugins.cri]\nsandbox_image = "pause:3.9"\nmax_concurrent_downloads = 5\n[plugins.cri.containerd]\ndefault_runtime_name = "crun"\n[plugins.cri.cni]\nbin_dir = "/opt/cni/bin"\nconf_dir = "/etc/cni/net.d"\n[plugins.cri.registry]\nconfig_path = "/etc/containerd/certs.d"\n[plugins.cri.registry.mirrors."docker.io"]\nendpoint = ["x"]${runc('cri')}`,
    'io.containerd.grpc.v1.cri': `version = 2\n[plugins."io.containerd.grpc.v1.cri"]\nsandbox_image = "pause:3.9"\nmax_concurrent_downloads = 5\n[plugins."io.containerd.grpc.v1.cri".containerd]\ndefault_runtime_name = "crun"\n[plugins."io.containerd.grpc.v1.cri".cni]\nbin_dir = "/opt/cni/bin"\nconf_dir = "/etc/cni/net.d"\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/etc/containerd/certs.d"\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\nendpoint = ["x"]${runc('io.containerd.grpc.v1.cri').replace('[plugins."io.containerd.grpc.v1.cri"]\n', '')}`.replace(/\n\n/g, '\n'),
    'io.containerd.cri.v1.runtime': `version = 3\n[plugins."io.containerd.cri.v1.images"]\nmax_concurrent_downloads = 5\n[plugins."io.containerd.cri.v1.images".pinned_images]\nsandbox = "pause:3.9"\n[plugins."io.containerd.cri.v1.images".registry]\nconfig_path = "/etc/containerd/certs.d"\n[plugins."io.containerd.cri.v1.images".registry.mirrors."docker.io"]\nendpoint = ["x"]\n[plugins."io.containerd.cri.v1.runtime".containerd]\ndefault_runtime_name = "crun"\n[plugins."io.containerd.cri.v1.runtime".cni]\nbin_dirs = ["/opt/cni/bin"]\nconf_dir = "/etc/cni/net.d"${runc('io.containerd.cri.v1.runtime').replace('[plugins."io.containerd.cri.v1.runtime"]\n', '')}`,
  };
  for (const [plugin, text] of Object.entries(versions)) {
    const translations = translateContainerdConfig(plugin === 'cri' ? text.replace('\n[plugins."cri"]\n', '\n') : text);

    assert.deepEqual(configOf(translations), {
      'image.max_parallel_layers': 5,
      'cni.bin_dirs': ['/opt/cni/bin'], 'cni.conf_dir': '/etc/cni/net.d',
      'registry.hosts_dirs': ['/etc/containerd/certs.d'],
      'runtime.default_handler': 'crun',
      'runtime.handlers.runc.path': '/usr/bin/runc', 'runtime.handlers.runc.allowed_annotations': ['io.a/*'], 'cgroup.driver': 'systemd',
      'runtime.handlers.crun.path': '/usr/local/bin/crun', 'runtime.handlers.crun.cni_conf_dir': '/etc/cni/crun.d',
      'runtime.handlers.copied.path': '/usr/bin/runc', 'runtime.handlers.copied.snapshotter': 'copy',
    }, plugin);
    const lost = translations.filter(({ verdict }) => verdict === 'lost').map(({ note }) => note);
    assert.deepEqual(lost.map((note) => note.split(':')[0]).sort(), ['kata', 'registry.mirrors'], plugin);
    assert.ok(translations.some(({ verdict, note }) => verdict === 'changes' && note.startsWith('crun.snapshotter: runtime.handlers.crun.snapshotter decides between overlay and copy')), plugin);
    assert.deepEqual(await faultsOf(configOf(translations)), [], plugin);
  }
});

test("containerd's other settings are told as what they are", async () => {
  const translations = translateContainerdConfig(`
version = 2
root = "/srv/c"
oom_score = -999
imports = ["/etc/containerd/conf.d/*.toml"]
[debug]
level = "trace"
[grpc]
max_recv_message_size = 33554432
[plugins."io.containerd.gc.v1.scheduler"]
mutation_threshold = 100
[plugins."io.containerd.grpc.v1.cri"]
enable_selinux = true
stream_server_port = "10010"
enable_unprivileged_ports = true
ignore_image_defined_volumes = true
unheard_of = 1
[plugins."io.containerd.grpc.v1.cri".x509_key_pair_streaming]
tls_cert_file = "/a.pem"
tls_key_file = "/b.pem"
`);

  assert.deepEqual(told(translations).map(([word]) => word), [
    'needless version', 'needless root', 'changes oom_score', 'lost imports', 'maps debug', 'maps grpc', 'needless plugins.io.containerd.gc.v1.scheduler',
    ...['maps enable_selinux', 'maps stream_server_port', 'maps enable_unprivileged_ports', 'maps ignore_image_defined_volumes', 'lost unheard_of', 'maps x509_key_pair_streaming'].map((word) => word.replace(' ', ' plugins.io.containerd.grpc.v1.cri.')),
  ]);
  assert.deepEqual(configOf(translations)['streaming.port'], 10_010);
  assert.deepEqual(await faultsOf(configOf(translations)), []);
});

test("cri-dockerd's flags are told, however they are written", async () => {
  const translations = translateCriDockerdFlags(['--container-runtime-endpoint', 'unix:///run/cri-dockerd.sock', '--network-plugin=cni', '-cni-bin-dir=/a,/b', '--ipv6-dual-stack', '--streaming-bind-addr=127.0.0.1:10010', '--hairpin-mode=promiscuous-bridge', '--log-level', 'warning', '--strange']);

  assert.deepEqual(told(translations).map(([word]) => word), ['needless --container-runtime-endpoint', 'maps --network-plugin', 'maps --cni-bin-dir', 'maps --ipv6-dual-stack', 'maps --streaming-bind-addr', 'needless --hairpin-mode', 'maps --log-level', 'lost --strange']);
  assert.deepEqual(configOf(translations), { 'cni.bin_dirs': ['/a', '/b'], 'streaming.address': '127.0.0.1', 'streaming.port': 10_010, 'log.level': 'warn' });
  assert.deepEqual(await faultsOf(configOf(translations)), []);
  assert.deepEqual([...parseFlags(['--a=b=c', '--on', '--n', '1'])], [['a', 'b=c'], ['on', 'true'], ['n', '1']]);
});
