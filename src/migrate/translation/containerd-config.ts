/** containerd's `config.toml`, versions 1 to 3 (containerd's docs/cri/config.md): what its CRI plugin is told. */
import { ForeignValue } from '../../base/foreign-value.ts';
import { parse } from 'smol-toml';
import { alike, changes, lost, maps, needless, translate } from './translation.ts';
import type { Config, Outcome, Rules, Translation } from './translation.ts';

const itsOwn = needless('containerd\'s own business');
const flagTo = (key: string) => (value: ForeignValue): Outcome => maps({ [key]: value.flag() });
const textTo = (key: string) => (value: ForeignValue): Outcome => (value.textOr('') === '' ? needless('empty') : maps({ [key]: value.text() }));
const whenOn = (outcome: Outcome) => (value: ForeignValue): Outcome => (value.flag() ? outcome : needless('off, as here'));
const whenSet = (outcome: Outcome) => (value: ForeignValue): Outcome => (value.absent || value.textOr('') === '' ? needless('empty') : outcome);

const rulesOfFile: Rules = {
  version: needless('the form of the file'),
  root: needless('the images there are adopted; Gantry\'s own place is root'),
  state: needless('Gantry\'s own place is state'),
  temp: itsOwn, plugin_dir: itsOwn, disabled_plugins: itsOwn, required_plugins: itsOwn, ttrpc: itsOwn, timeouts: itsOwn, cgroup: itsOwn,
  imports: (value) => (value.items().length === 0 ? needless('empty') : lost('files that are named here are not read: translate them one by one with --containerd-config')),
  oom_score: changes('OOMScoreAdjust= of the unit says it: systemctl edit gantry'),
  grpc: (value) => {
    const size = value.members().get('max_recv_message_size');
    return size.absent ? itsOwn : maps({ 'grpc.max_message_bytes': size.integer(1, 2 ** 31) });
  },
  debug: (value) => {
    const level = value.members().get('level').textOr('');
    if (level === '') return itsOwn;
    return maps({ 'log.level': level === 'fatal' || level === 'panic' ? 'error' : level === 'trace' ? 'debug' : level });
  },
  metrics: (value) => (value.members().get('address').textOr('') === '' ? needless('empty') : lost('the kubelet tells the figures of pods')),
  proxy_plugins: (value) => (value.members().names.length === 0 ? needless('empty') : lost('remote snapshotters (stargz, nydus, …) are not used: images are unpacked whole')),
  stream_processors: (value) => (value.members().names.length === 0 ? needless('empty') : changes('encrypted layers cannot be read; others need no processor')),
};

const rulesOfCri: Rules = {
  sandbox_image: needless('pods need no image of their own: where one has a first process, it is a program of the node'),
  sandbox: needless('pods need no image of their own: where one has a first process, it is a program of the node'),
  pinned_images: (value) => {
    const images = value.members();
    const others = images.names.filter((name) => name !== 'sandbox').map((name) => images.get(name).text());
    return others.length === 0 ? needless('pods need no image of their own') : maps({ 'image.pinned': others });
  },
  max_concurrent_downloads: (value) => maps({ 'image.max_parallel_layers': Math.min(value.integer(1, 1000), 16) }, 'layers of one image at a time'),
  snapshotter: (value) => snapshotter(value.text()),
  registry: (value) => registry(value.members()),
  enable_selinux: (value) => (value.flag() ? alike('labels are given wherever SELinux is on') : maps({ 'security.disable_selinux': true })),
  selinux_category_range: (value) => (value.integer(0, 65_536) === 0 ? needless('the default') : maps({ 'security.selinux_categories': value.integer(0, 65_536) })),
  disable_apparmor: flagTo('security.disable_apparmor'),
  restrict_oom_score_adj: flagTo('container.restrict_oom_score_adj'),
  enable_unprivileged_ports: flagTo('container.enable_unprivileged_ports'),
  enable_unprivileged_icmp: flagTo('container.enable_unprivileged_icmp'),
  device_ownership_from_security_context: flagTo('container.device_ownership_from_security_context'),
  ignore_image_defined_volumes: whenOn(maps({ 'container.image_volumes': 'ignore' })),
  cdi_spec_dirs: (value) => maps({ 'cdi.dirs': value.texts() }),
  enable_cdi: (value) => (value.flag() ? alike('always on') : maps({ 'cdi.dirs': [] }, 'no folders, no devices')),
  stream_idle_timeout: textTo('streaming.idle_timeout'),
  stream_server_address: (value) => (['', '127.0.0.1'].includes(value.text()) ? alike('loopback is the default') : maps({ 'streaming.address': value.text() })),
  stream_server_port: (value) => (['', '0'].includes(value.text()) ? alike('a free port is the default') : maps({ 'streaming.port': Number(value.text()) })),
  enable_tls_streaming: whenOn(alike('TLS is on where a certificate is given')),
  x509_key_pair_streaming: (value) => {
    const pair = value.members();
    const [certificate, key] = [pair.get('tls_cert_file').textOr(''), pair.get('tls_key_file').textOr('')];
    return certificate === '' ? needless('empty') : maps({ 'streaming.tls_cert_file': certificate, 'streaming.tls_key_file': key });
  },
  systemd_cgroup: (value) => (value.flag() ? maps({ 'cgroup.driver': 'systemd' }) : needless('SystemdCgroup of the runtimes counts')),
  unset_seccomp_profile: whenSet(changes('a pod that says nothing of seccomp is what the kubelet makes of it: seccompDefault in its configuration')),
  max_container_log_line_size: (value) => (value.integer(-1, 2 ** 31) === 16_384 ? needless('the default') : changes('a line of a log is cut at 16 KiB, as the kubelet expects')),
  image_pull_progress_timeout: alike('a registry that sends nothing is given up after a while'),
  image_pull_with_sync_fs: alike('images are synced before they are recorded'),
  image_decryption: lost('encrypted layers cannot be read'),
  discard_unpacked_layers: whenOn(changes('layers that containerd has only unpacked cannot be checked, and are pulled anew')),
  use_local_image_pull: itsOwn, concurrent_layer_fetch_buffer: itsOwn, disable_snapshot_annotations: itsOwn, runtime_platforms: itsOwn, stats_collect_period: itsOwn,
  tolerate_missing_hugetlb_controller: alike('limits of a controller that is not there are left out where the CRI allows it'), disable_hugetlb_controller: alike('limits of a controller that is not there are left out where the CRI allows it'),
  ignore_rdt_not_enabled_errors: itsOwn, ignore_blockio_not_enabled_errors: itsOwn, ignore_deprecation_warnings: itsOwn, netns_mounts_under_state_dir: itsOwn, disable_cgroup: lost('containers always have cgroups'),
  disable_proc_mount: needless('the kubelet says procMount'), disable_tcp_service: alike('there is no TCP service but that of sessions'), drain_exec_sync_io_timeout: alike('output that stays open after the command ended is not waited for'),
  max_concurrent_unpacks: itsOwn, enable_cdi_devices: itsOwn,
  cni: (value) => cni(value.members()),
};

const rulesOfRuntimes: Rules = {
  default_runtime_name: (value) => maps({ 'runtime.default_handler': value.text() }),
  snapshotter: (value) => snapshotter(value.text()),
  disable_snapshot_annotations: itsOwn, discard_unpacked_layers: rulesOfCri['discard_unpacked_layers']!, no_pivot: whenOn(lost('containers always pivot')), ignore_blockio_not_enabled_errors: itsOwn, ignore_rdt_not_enabled_errors: itsOwn,
  default_runtime: needless('an older spelling of the handlers'), untrusted_workload_runtime: lost('name a RuntimeClass instead of the annotation'),
  runtimes: (value) => {
    const runtimes = value.members();
    return runtimes.names.flatMap((name) => handler(name, runtimes.get(name).members()));
  },
};

/** The file's settings. Not TOML: an Error that says so. */
export function translateContainerdConfig(text: string): Translation[] {
  const file = new ForeignValue(parse(text));
  const { plugins, rest } = apart(file);
  return [...translate(rest, rulesOfFile), ...plugins.names.flatMap((name) => plugin(name, plugins.get(name)))];
}

/** The plugins have tables of their own. */
function apart(file: ForeignValue): { plugins: ReturnType<ForeignValue['members']>; rest: ForeignValue } {
  const members = file.members();
  const rest = Object.fromEntries(members.names.filter((name) => name !== 'plugins').map((name) => [name, members.get(name).raw]));
  return { plugins: members.get('plugins').members(), rest: new ForeignValue(rest) };
}

function plugin(name: string, value: ForeignValue): Translation[] {
  const prefix = `plugins.${name}.`;
  if (!['cri', 'io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.runtime', 'io.containerd.cri.v1.images'].includes(name)) return [{ setting: `plugins.${name}`, value: '…', ...itsOwn }];
  const members = value.members();
  const rest = new ForeignValue(Object.fromEntries(members.names.filter((member) => member !== 'containerd').map((member) => [member, members.get(member).raw])));
  return [...translate(rest, rulesOfCri, prefix), ...translate(members.get('containerd'), rulesOfRuntimes, `${prefix}containerd.`)];
}

type Members = ReturnType<ForeignValue['members']>;

function handler(name: string, runtime: Members): Outcome[] {
  const options = runtime.get('options').members();
  const type = runtime.get('runtime_type').textOr('');
  const binary = options.get('BinaryName').textOr('');
  const key = `runtime.handlers.${name}`;
  if (binary === '' && !(name === 'runc' || /runc/.test(type))) return [lost(`${name}: the shim ${type} cannot be run: give the path of its OCI runtime as ${key}.path`)];
  const annotations = [...runtime.get('pod_annotations').texts(), ...runtime.get('container_annotations').texts()];
  const ofImages = runtime.get('snapshotter').textOr('');
  const driver = driverOf(ofImages);
  const becomes: Config = {
    [`${key}.path`]: binary.startsWith('/') ? binary : `/usr/bin/${binary || 'runc'}`,
    ...(annotations.length === 0 ? {} : { [`${key}.allowed_annotations`]: [...new Set(annotations)] }),
    ...(runtime.get('cni_conf_dir').textOr('') === '' ? {} : { [`${key}.cni_conf_dir`]: runtime.get('cni_conf_dir').text() }),
    ...(driver === undefined ? {} : { [`${key}.snapshotter`]: driver }),
    ...(runtime.get('base_runtime_spec').textOr('') === '' ? {} : { [`${key}.base_spec`]: runtime.get('base_runtime_spec').text() }),
    ...(runtime.get('privileged_without_host_devices').flagOr(false) ? { [`${key}.privileged_without_host_devices`]: true } : {}),
    ...(runtime.get('privileged_without_host_devices_all_devices_allowed').flagOr(false) ? { [`${key}.privileged_without_host_devices_all_devices_allowed`]: true } : {}),
    ...(options.get('SystemdCgroup').absent ? {} : { 'cgroup.driver': options.get('SystemdCgroup').flag() ? 'systemd' : 'cgroupfs' }),
  };
  const unlike = ['cni_max_conf_num', 'sandboxer', 'io_type'].filter((member) => !runtime.get(member).absent && !['', 'podsandbox'].includes(String(runtime.get(member).raw)));
  const foreign = ofImages === '' || driver !== undefined ? [] : [changes(`${name}.snapshotter: ${key}.snapshotter decides between overlay and copy; images of the snapshotter ${ofImages} come from their packed layers`)];
  return [maps(becomes, `a handler for the RuntimeClass ${name}`), ...foreign, ...unlike.map((member) => lost(`${name}.${member}: look whether docs/defaults-and-handlers.md has a setting for it`))];
}

/** What a snapshotter of containerd's is here; undefined where none is named, and for those that have no like. */
function driverOf(name: string): 'overlay' | 'copy' | undefined {
  return name === 'overlayfs' ? 'overlay' : name === 'native' ? 'copy' : undefined;
}

function snapshotter(name: string): Outcome {
  if (['overlayfs', ''].includes(name)) return alike('overlayfs is the default');
  return name === 'native' ? maps({ snapshotter: 'copy' }) : changes(`snapshotter decides between overlay and copy; images of the snapshotter ${name} come from their packed layers`);
}

function registry(members: Members): Outcome[] {
  const told: Outcome[] = [];
  const path = members.get('config_path').textOr('');
  if (path !== '') told.push(maps({ 'registry.hosts_dirs': path.split(':') }, 'hosts.toml is read as containerd reads it'));
  for (const old of ['mirrors', 'configs', 'auths', 'headers']) {
    if (members.get(old).members().names.length > 0) told.push(lost(`registry.${old}: write hosts.toml for each registry below registry.hosts_dirs${old === 'headers' ? '' : ', and credentials to one of registry.auth_files'}`));
  }
  return told.length === 0 ? [needless('empty')] : told;
}

function cni(members: Members): Outcome[] {
  const directories = members.get('bin_dirs').texts();
  const [single, conf] = [members.get('bin_dir').textOr(''), members.get('conf_dir').textOr('')];
  const bins = directories.length > 0 ? directories : single === '' ? [] : [single];
  const told: Outcome[] = [maps({ ...(bins.length === 0 ? {} : { 'cni.bin_dirs': bins }), ...(conf === '' ? {} : { 'cni.conf_dir': conf }) })];
  if (members.get('max_conf_num').integerOr(1, 0, 1000) !== 1) told.push(changes('max_conf_num: the first network configuration by name is used'));
  if (members.get('conf_template').textOr('') !== '') told.push(lost('conf_template: the network plugin of the cluster has to write its configuration'));
  return told;
}
