/** Docker's `daemon.json` (dockerd(8), "Daemon configuration file"). */
import { ForeignValue } from '../../base/foreign-value.ts';
import { alike, changes, lost, maps, needless, translate } from './translation.ts';
import type { Outcome, Rules, Translation } from './translation.ts';

const usualFile = '/etc/docker/daemon.json';
const network = needless('pods get their network from CNI, not from Docker\'s bridge');
const resolver = needless('the kubelet tells each pod its resolvers');
const dockerApi = lost('there is no Docker API to be changed by; agents that only read can have docker_api.socket');
const kubeletsLogs = (what: string): Outcome => changes(`the kubelet rotates the logs of containers: set ${what} in its configuration`);

const rules = (file: string): Rules => {
  const readHere = maps(file === usualFile ? {} : { 'registry.docker_daemon_json': file }, 'read from this file, at every pull');
  return {
    'registry-mirrors': readHere,
    'insecure-registries': readHere,
    'exec-opts': (value) => value.texts().map((option) => {
      const [name, choice = ''] = option.split('=');
      if (name !== 'native.cgroupdriver') return lost(`${option}: not known here`);
      return ['systemd', 'cgroupfs'].includes(choice) ? maps({ 'cgroup.driver': choice }) : lost(`${choice} is no cgroup driver`);
    }),
    'default-ulimits': (value) => {
      const limits = value.members();
      return maps({ 'container.default_ulimits': limits.names.map((name) => {
        const limit = limits.get(name).members();
        return `${name}=${limit.get('Soft').integer(-1, Number.MAX_SAFE_INTEGER)}:${limit.get('Hard').integer(-1, Number.MAX_SAFE_INTEGER)}`;
      }) });
    },
    'runtimes': (value) => {
      const runtimes = value.members();
      return runtimes.names.map((name) => handlerOf(name, runtimes.get(name)));
    },
    'default-runtime': (value) => (value.text() === 'runc' ? maps({ 'runtime.default_handler': 'runc' }) : maps({ 'runtime.default_handler': value.text() })),
    'max-concurrent-downloads': (value) => maps({ 'image.max_parallel_layers': Math.min(value.integer(1, 1000), 16) }, 'layers of one image at a time'),
    'seccomp-profile': (value) => {
      const profile = value.text();
      if (profile === 'unconfined') return lost('no filter for all pods: those that need it say seccompProfile: Unconfined');
      return profile === 'builtin' || profile === '' ? alike('Gantry has a default profile built in as well') : maps({ 'container.seccomp_profile': profile });
    },
    'selinux-enabled': (value) => (value.flag() ? alike('labels are given wherever SELinux is on') : maps({ 'security.disable_selinux': true })),
    'cdi-spec-dirs': (value) => maps({ 'cdi.dirs': value.texts() }),
    'log-level': (value) => {
      const level = value.text();
      return maps({ 'log.level': level === 'fatal' ? 'error' : level });
    },
    'debug': (value) => (value.flag() ? maps({ 'log.level': 'debug' }) : needless('the default')),
    'log-format': (value) => maps({ 'log.format': value.text() === 'json' ? 'json' : 'auto' }),
    'raw-logs': needless('the log has no colours but on a terminal'),
    'log-driver': (value) => (value.text() === 'json-file' ? changes('logs of containers are files of lines in the CRI format below /var/log/pods, where collectors for Kubernetes look') : lost('logs of containers are files below /var/log/pods, and no driver sends them elsewhere: a collector has to')),
    'log-opts': (value) => {
      const options = value.members();
      if (options.names.length === 0) return needless('empty');
      const known: Readonly<Record<string, Outcome>> = { 'max-size': kubeletsLogs('containerLogMaxSize'), 'max-file': kubeletsLogs('containerLogMaxFiles'), 'compress': changes('the kubelet compresses rotated logs') };
      return options.names.map((name) => known[name] ?? lost(`${name}: logs have no options`));
    },
    'live-restore': alike('containers always outlive the daemon'),
    'data-root': needless('the images there are adopted; Gantry\'s own place is root'),
    'graph': needless('the images there are adopted; Gantry\'s own place is root'),
    'exec-root': needless('Gantry\'s own place is state'),
    'pidfile': needless('systemd knows the daemon'),
    'storage-driver': (value) => (['overlay2', 'overlay'].includes(value.text()) ? alike('overlayfs is the default') : changes(`snapshotter decides between overlay and copy; images of the driver ${value.text()} cannot be adopted`)),
    'storage-opts': (value) => (value.items().length === 0 ? needless('empty') : lost('writable layers have no limit of their own: pods say ephemeral-storage')),
    'features': (value) => {
      const features = value.members();
      return features.names.map((name) => (name === 'containerd-snapshotter' && !features.get(name).absent && features.get(name).flag()
        ? changes('Docker keeps its images in containerd then: adopt them with --from containerd --namespace moby') : needless(`${name} is about builds and Docker's own API`)));
    },
    'userns-remap': (value) => (value.text() === '' ? needless('empty') : lost('no remapping for all containers: pods ask for user namespaces by hostUsers: false')),
    'no-new-privileges': (value) => (value.flag() ? lost('not for all containers: pods say allowPrivilegeEscalation: false') : needless('the default')),
    'init': (value) => (value.flag() ? lost('containers have no init of their own: pods that share processes do') : needless('the default')),
    'init-path': needless('there is no init for single containers'),
    'default-shm-size': changes('/dev/shm of a pod has 64 MiB; one that needs more mounts an emptyDir of the medium Memory there'),
    'default-cgroupns-mode': changes('containers have a cgroup namespace of their own on cgroup v2, privileged ones the node\'s'),
    'default-ipc-mode': needless('a pod has an IPC namespace for its containers'),
    'cgroup-parent': needless('the kubelet names the cgroup of each pod'),
    'cpu-rt-period': lost('real-time scheduling is not for pods'),
    'cpu-rt-runtime': lost('real-time scheduling is not for pods'),
    'proxies': changes('the daemon takes HTTP_PROXY, HTTPS_PROXY and NO_PROXY from its environment: systemctl edit gantry'),
    'oom-score-adjust': changes('OOMScoreAdjust= of the unit says it: systemctl edit gantry'),
    'metrics-addr': lost('the kubelet tells the figures of pods'),
    'shutdown-timeout': needless('stopping the daemon stops no container'),
    'max-concurrent-uploads': needless('Gantry pushes nothing'),
    'max-download-attempts': changes('a pull is tried again as long as its registry is there'),
    'allow-nondistributable-artifacts': needless('Gantry pushes nothing'),
    'experimental': needless('about Docker alone'),
    'builder': lost('images are not built here: BuildKit, Buildah or Kaniko do that'),
    'swarm-default-advertise-addr': lost('there is no swarm'),
    'containerd': needless('Gantry needs no containerd'), 'containerd-namespace': needless('Gantry needs no containerd'), 'containerd-plugin-namespace': needless('Gantry needs no containerd'),
    'hosts': dockerApi, 'group': dockerApi, 'tls': dockerApi, 'tlsverify': dockerApi, 'tlscacert': dockerApi, 'tlscert': dockerApi, 'tlskey': dockerApi, 'api-cors-header': dockerApi, 'authorization-plugins': dockerApi,
    'labels': lost('they are seen by nobody: label the node in Kubernetes'), 'node-generic-resources': lost('device plugins and CDI offer resources to pods'),
    'dns': resolver, 'dns-opts': resolver, 'dns-search': resolver,
    'bip': network, 'bip6': network, 'bridge': network, 'fixed-cidr': network, 'fixed-cidr-v6': network, 'default-gateway': network, 'default-gateway-v6': network, 'default-address-pools': network,
    'default-network-opts': network, 'mtu': network, 'ip': network, 'ip-forward': network, 'ip-masq': network, 'iptables': network, 'ip6tables': network, 'icc': network, 'ipv6': network,
    'userland-proxy': network, 'userland-proxy-path': network, 'host-gateway-ip': network, 'firewall-backend': network, 'allow-direct-routing': network,
  };
};

/** `file` is where the text came from. Not JSON, or no object: an Error that says so. */
export function translateDaemonJson(text: string, file: string): Translation[] {
  return text.trim() === '' ? [] : translate(new ForeignValue(JSON.parse(text)), rules(file));
}

function handlerOf(name: string, value: ForeignValue): Outcome {
  const runtime = value.members();
  if (runtime.get('path').absent) return lost(`${name}: a containerd shim (runtimeType) cannot be run: give the path of an OCI runtime`);
  const flags = runtime.get('runtimeArgs').texts();
  return maps({ [`runtime.handlers.${name}.path`]: runtime.get('path').text(), ...(flags.length === 0 ? {} : { [`runtime.handlers.${name}.flags`]: flags }) }, `a handler for the RuntimeClass ${name}`);
}
