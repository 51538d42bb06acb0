/**
 * The one declaration of Gantry's configuration. Defaults, flags, environment variables, reading and checking of TOML,
 * `--help`, `gantry config default`, docs/configuration.md and the reload's comparison all come from it, and so does
 * the type `Config`.
 */
import { logLevels } from '../log.ts';
import { defaultCapabilities } from '../capabilities.ts';
import { annotationName, annotationPatterns, annotations, capabilities, environment, optionalAnnotationName, runtimeFlags, sysctls, ulimits, umask } from './container-kinds.ts';
import { duration, integer, ipAddress, oneOf, optionalPath, optionalSocketPath, ownFolder, path, paths, pathsOrNone, size, socketPath, textLike, textsLike, truth } from './kinds.ts';
import { named, required, setting, table } from './tree.ts';
import type { ValueOf } from './tree.ts';

const handlerName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const wantedHandlerName = 'lower-case letters, digits and dashes, 63 at most (a RuntimeClass handler)';

/** Where all tools of the field look for the policy; the one place where there need not be one. */
export const usualSignaturePolicy = '/etc/containers/policy.json';

export const schema = table('', {
  root: setting({
    kind: ownFolder,
    default: '/var/lib/gantry',
    flag: '--root',
    applies: 'restart',
    about: 'Where images, containers and the database are kept. It survives a reboot and belongs to one daemon. See `snapshotter` for the filesystem that it should be on. Where that counts projects (XFS and ext4 with the mount option `prjquota`, ext4 made with the features `quota` and `project`), what containers write is not measured by walking.',
  }),
  state: setting({
    kind: ownFolder,
    default: '/run/gantry',
    flag: '--state',
    applies: 'restart',
    about: 'Where the files of running pods are kept: namespaces, bundles, exit codes. It should be on a tmpfs, so that a reboot empties it.',
  }),
  snapshotter: setting({
    kind: oneOf(['auto', 'overlay', 'copy']),
    default: 'auto',
    flag: '--snapshotter',
    applies: 'restart',
    about: "How the root of a container is made of its image. `overlay`: the image's layers with a writable layer above them; refused at start where overlayfs cannot use the filesystem of `root`. `copy`: a copy of all files of the image for each container, which shares blocks with the image on XFS and btrfs. `auto` is overlay where it works, else copy, and the log says why. Containers that were made the other way stay as they are.",
  }),
  socket: setting({
    kind: socketPath,
    default: '/run/gantry/gantry.sock',
    flag: '--socket',
    applies: 'restart',
    about: "The unix socket that the kubelet calls: its `containerRuntimeEndpoint` is this path with `unix://` in front.",
  }),
  registriesConf: setting({
    kind: path,
    default: '/etc/containers/registries.conf',
    flag: '--registries-conf',
    applies: 'restart',
    about: 'Mirrors, blocked registries and short names, in the format that Podman, Skopeo and CRI-O read; `*.conf` files of the folder of this name with `.d` behind it count too. It need not exist, and a change counts from the next pull on.',
  }),
  signaturePolicy: setting({
    kind: path,
    default: usualSignaturePolicy,
    flag: '--signature-policy',
    applies: 'restart',
    about: 'Whose images are taken, in the `policy.json` format of Podman, Skopeo and CRI-O. Without a file at the default place every image is; a file at another place must be there. A change counts from the next pull or `image load` on, and a file that cannot be understood stops both.',
  }),

  engine: setting({
    kind: oneOf(['native', 'docker']),
    default: 'native',
    flag: '--engine',
    applies: 'restart',
    about: 'What makes pods and containers. `native` is Gantry itself. `docker` is a Docker Engine of this node, 20.10 or newer, which keeps the containers and images that are made this way; what it cannot do is listed in [docker-engine.md](docker-engine.md). Each leaves alone what the other made.',
  }),

  docker: table('The Docker Engine, for `engine = "docker"`.', {
    socket: setting({
      kind: socketPath,
      default: '/run/docker.sock',
      applies: 'restart',
      about: 'Its unix socket. While nobody answers there, the node is not ready and every call is unavailable.',
    }),
  }),

  log: table('What the daemon says about itself, on standard error.', {
    level: setting({
      kind: oneOf(logLevels),
      default: 'info',
      flag: '--log-level',
      applies: 'live',
      about: 'The least important records that are written.',
    }),
    format: setting({
      kind: oneOf(['auto', 'json', 'pretty']),
      default: 'auto',
      flag: '--log-format',
      applies: 'live',
      about: 'One JSON object a line, or lines for people. `auto` is pretty on a terminal and JSON elsewhere.',
    }),
  }),

  checkpoint: table('Containers that are written down and made again (CRIU).', {
    restoreImages: setting({
      kind: truth,
      default: false,
      applies: 'live',
      about: 'A container may be restored of a checkpoint that comes as an image. Whoever can pull an image then decides what the memory of its processes is; what they may do is checked against the request. Archive files of the node, which only its root can name, are restored in any case.',
    }),
  }),

  cni: table("The pods' network (Container Network Interface).", {
    confDir: setting({
      kind: path,
      default: '/etc/cni/net.d',
      flag: '--cni-conf-dir',
      applies: 'restart',
      about: 'Where network configurations are looked for; the first by name is used. Changes of the files are noticed without a reload.',
    }),
    binDirs: setting({
      kind: paths,
      default: ['/opt/cni/bin', '/usr/lib/cni'],
      flag: '--cni-bin-dir',
      applies: 'restart',
      about: 'Where plugins are looked for, in this order.',
    }),
    timeout: setting({
      kind: duration(1000, 600_000),
      default: 60_000,
      applies: 'restart',
      about: 'How long one run of the plugins of a network may take before it is killed and undone.',
    }),
  }),

  runtime: table('What starts and watches containers.', {
    defaultHandler: setting({
      kind: textLike('name', wantedHandlerName, handlerName),
      default: 'crun',
      flag: '--default-handler',
      applies: 'live',
      about: 'The handler of pods that name none (that have no RuntimeClass).',
    }),
    conmon: setting({
      kind: path,
      default: '/usr/bin/conmon',
      applies: 'restart',
      about: 'The monitor that holds the output of one container and outlives the daemon.',
    }),
    pause: setting({
      kind: path,
      default: '/usr/bin/catatonit',
      applies: 'restart',
      about: 'A static program that does nothing but reap: process 1 of pods whose containers share their processes.',
    }),
    handlers: named({
      about: 'The OCI runtimes, each under the name that a RuntimeClass gives as its handler. Those that are not installed are not offered.',
      nameForm: handlerName,
      wantedName: wantedHandlerName,
      defaults: { crun: { path: '/usr/bin/crun' }, runc: { path: '/usr/bin/runc' } },
      entry: table('', {
        path: required({ kind: path, applies: 'live', about: "The OCI runtime's program." }),
        flags: setting({
          kind: runtimeFlags,
          default: [],
          applies: 'live',
          about: "Words to put before every command of the runtime, after Gantry's own.",
        }),
        allowedAnnotations: setting({
          kind: annotationPatterns,
          default: [],
          applies: 'live',
          about: 'Which annotations of pods and containers the runtime gets to see. It may take isolation settings from them, and whoever can make pods can write them: name as few as possible.',
        }),
        defaultAnnotations: setting({
          kind: annotations,
          default: {},
          applies: 'live',
          about: 'Annotations that the runtime sees on every container. One of the pod wins where it is allowed.',
        }),
        baseSpec: setting({
          kind: optionalPath,
          default: '',
          applies: 'live',
          about: 'An OCI config.json that lies under the one made for each container: it adds what that does not say (hooks, mounts, variables, devices, masked paths, limits), and changes nothing that it says. Read at start and on reload.',
        }),
        privilegedWithoutHostDevices: setting({
          kind: truth,
          default: false,
          applies: 'live',
          about: "A privileged container sees no devices of the node and may use none, but those that it asks for: for runtimes whose containers run on another kernel.",
        }),
        privilegedWithoutHostDevicesAllDevicesAllowed: setting({
          kind: truth,
          default: false,
          applies: 'live',
          about: 'A privileged container sees no devices of the node, and may still use any that it makes itself. Needs `privileged_without_host_devices`.',
        }),
        createTimeout: setting({
          kind: duration(1000, 3_600_000),
          default: 120_000,
          applies: 'live',
          about: 'How long the runtime may take to create a container.',
        }),
        minMemory: setting({
          kind: size(0, 1 << 30),
          default: 0,
          applies: 'live',
          about: 'The least memory limit that a container may be given, for a runtime that needs some itself: less is refused, instead of failing in ways that nobody understands.',
        }),
        cniConfDir: setting({
          kind: optionalPath,
          default: '',
          applies: 'live',
          about: "Where the network configuration of the handler's pods is looked for, instead of `cni.conf_dir`. A pod keeps the network that it was made with.",
        }),
        snapshotter: setting({
          kind: oneOf(['node', 'overlay', 'copy']),
          default: 'node',
          applies: 'live',
          about: "How the roots of the handler's containers are made: as `snapshotter` says for the node, or in one of its ways. Where overlayfs cannot be used, `overlay` fails the handler's pods. A pod keeps the one that it was made with.",
        }),
        seccompProfile: setting({
          kind: optionalPath,
          default: '',
          applies: 'live',
          about: "The system call filter for RuntimeDefault of the handler's containers, instead of `container.seccomp_profile`. Read at start and on reload.",
        }),
      }),
    }),
  }),

  container: table('What every container gets, where its pod or image does not say otherwise. A change holds for containers made after it.', {
    defaultUlimits: setting({
      kind: ulimits,
      default: [{ name: 'nofile', soft: 1_048_576, hard: 1_048_576 }],
      applies: 'live',
      about: "Limits of each process, for which the CRI has no word. None is more than the daemon's own hard limit (LimitNOFILE= and the like of its service). Open files are limited as by default where nofile is left out.",
    }),
    defaultEnv: setting({
      kind: environment,
      default: {},
      applies: 'live',
      about: "Environment variables. Those of the image and of the container win.",
    }),
    defaultSysctls: setting({
      kind: sysctls,
      default: {},
      applies: 'live',
      about: "Kernel parameters of a pod's own namespaces. Those that the pod sets win; those of a namespace that it shares with the node are left out.",
    }),
    enableUnprivilegedPorts: setting({
      kind: truth,
      default: true,
      applies: 'live',
      about: "Lets any user listen on ports below 1024 in a pod with a network of its own (net.ipv4.ip_unprivileged_port_start=0), unless a sysctl says otherwise.",
    }),
    enableUnprivilegedIcmp: setting({
      kind: truth,
      default: true,
      applies: 'live',
      about: "Lets any user ping in a pod with a network of its own (net.ipv4.ping_group_range=0 2147483647), unless a sysctl says otherwise or the pod has its own user namespace.",
    }),
    defaultCapabilities: setting({
      kind: capabilities,
      default: defaultCapabilities,
      applies: 'live',
      about: 'The capabilities of a container that is not privileged, before it adds and drops any.',
    }),
    pidsLimit: setting({
      kind: integer(0, 4_194_304),
      default: 0,
      applies: 'live',
      about: "The most processes and threads in one container; 0 is no limit but the pod's.",
    }),
    deviceOwnershipFromSecurityContext: setting({
      kind: truth,
      default: false,
      applies: 'live',
      about: 'Gives the devices that a container asks for to the user that it runs as, and to its run_as_group. Otherwise they keep the owner that they have on the node, often root.',
    }),
    createMissingHostPaths: setting({
      kind: truth,
      default: false,
      applies: 'live',
      about: 'Makes a directory where a container mounts a path that the node does not have, as Docker did. The CRI wants an error, so that a mistyped path or a disk that is not mounted is noticed.',
    }),
    imageVolumes: setting({
      kind: oneOf(['bind', 'mkdir', 'ignore']),
      default: 'bind',
      applies: 'live',
      about: "What becomes of the volumes that an image declares (`VOLUME`) and the pod does not mount. `bind`: a directory of the container's own, with what the image has there, writable also where the root is not; it goes with the container. `mkdir`: an ordinary directory in the container's root. `ignore`: nothing.",
    }),
    umask: setting({
      kind: umask,
      default: 0o022,
      applies: 'live',
      about: 'The mask of file modes that a container starts with.',
    }),
    timezone: setting({
      kind: textLike('time zone', '"" for none, "Local", or a name such as "Europe/Berlin"', /^([A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*)?$/),
      default: '',
      applies: 'live',
      about: "The time zone, as /etc/localtime from the node's /usr/share/zoneinfo; `Local` is the node's own. Without one the image decides.",
    }),
    restrictOomScoreAdj: setting({
      kind: truth,
      default: false,
      applies: 'live',
      about: "Never asks for a lower oom_score_adj than the daemon's own, as on nodes where that is not permitted. A daemon without CAP_SYS_RESOURCE never does.",
    }),
    seccompProfile: setting({
      kind: optionalPath,
      default: '',
      applies: 'live',
      about: 'The system call filter for RuntimeDefault, in the form of Docker and of the OCI, instead of the one built in. Read at start and on reload.',
    }),
  }),

  workloads: named({
    about: 'Classes of pods with CPU settings of their own, for what keeps the node itself running. A pod is of a class when it has its annotation; of two the first by name counts.',
    nameForm: handlerName,
    wantedName: 'lower-case letters, digits and dashes, 63 at most',
    defaults: {},
    entry: table('', {
      activationAnnotation: required({ kind: annotationName, applies: 'live', about: 'The annotation that makes a pod one of the class, whatever its value.' }),
      annotationPrefix: setting({
        kind: optionalAnnotationName,
        default: '',
        applies: 'live',
        about: 'An annotation `PREFIX/CONTAINER` of the pod changes the figures of that container: a JSON object of `cpushares`, `cpuquota`, `cpuperiod`, `cpuset`, `cpulimit` (thousandths of a CPU). Without a prefix none does.',
      }),
      allowedAnnotations: setting({
        kind: annotationPatterns,
        default: [],
        applies: 'live',
        about: "Which annotations of such pods the runtime gets to see, besides those that the handler allows.",
      }),
      cpuShares: setting({ kind: integer(0, 262_144), default: 0, applies: 'live', about: "CPU shares of each container; 0 is what the kubelet says." }),
      cpuQuota: setting({ kind: integer(0, 1_000_000_000), default: 0, applies: 'live', about: 'Microseconds of CPU in each period; 0 is what the kubelet says.' }),
      cpuPeriod: setting({ kind: integer(0, 1_000_000), default: 0, applies: 'live', about: 'The period in microseconds; 0 is what the kubelet says.' }),
      cpuset: setting({
        kind: textLike('processors', '"" or a list of processors such as "0-3,7"', /^([0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*)?$/),
        default: '',
        applies: 'live',
        about: 'The processors to run on; "" is what the kubelet says.',
      }),
    }),
  }),

  cdi: table('Devices that vendors describe in files (Container Device Interface).', {
    dirs: setting({
      kind: pathsOrNone,
      default: ['/etc/cdi', '/var/run/cdi'],
      applies: 'live',
      about: 'Where CDI spec files (`*.json`, `*.yaml`) are looked for. A device in a later folder overrides the same in an earlier one. Changes of the files are noticed without a reload.',
    }),
  }),

  hooks: table('Programs that run at stages of the lives of containers (OCI hooks).', {
    dirs: setting({
      kind: pathsOrNone,
      default: ['/usr/share/containers/oci/hooks.d', '/etc/containers/oci/hooks.d'],
      applies: 'live',
      about: 'Where hook configurations (`*.json`, oci-hooks(5)) are looked for, which say themselves which containers they are for. A file in a later folder replaces the one of the same name in an earlier one. The default is what CRI-O and Podman read, as packages install their hooks there for every runtime; `[]` runs none. Changes of the files are noticed without a reload.',
    }),
  }),

  cgroup: table('How the processes of pods are accounted and limited.', {
    driver: setting({
      kind: oneOf(['auto', 'cgroupfs', 'systemd']),
      default: 'auto',
      flag: '--cgroup-driver',
      applies: 'restart',
      about: "Who makes the cgroups. It has to be the kubelet's `cgroupDriver`, which kubelets from 1.28 on ask for here. `auto` is systemd where systemd runs the node with cgroup v2, else cgroupfs.",
    }),
    blockioConfigFile: setting({
      kind: path,
      default: '/etc/gantry/blockio.yaml',
      applies: 'restart',
      about: 'Classes of block I/O (weights and throttles of devices) that pods choose from by annotations, in the format of the file of the same name that CRI-O and containerd read. It need not exist, and is read whenever a container names a class.',
    }),
  }),

  security: table('How containers are confined.', {
    disableApparmor: setting({
      kind: truth,
      default: false,
      applies: 'restart',
      about: 'Leaves AppArmor alone on a node that has it: containers run unconfined by it, and those that ask for a profile by name are refused.',
    }),
    apparmorDefaultProfile: setting({
      kind: textLike('name', '"built-in" or the name of a loaded profile', /^[^\s\0]{1,255}$/),
      default: 'built-in',
      applies: 'restart',
      about: "The AppArmor profile of containers that ask for the runtime's default or for none. `built-in` is gantry's own, which it loads itself; any other has to be loaded already.",
    }),
    disableSelinux: setting({
      kind: truth,
      default: false,
      applies: 'restart',
      about: 'Leaves SELinux alone on a node that has it: neither containers nor their files and volumes get labels.',
    }),
    selinuxCategories: setting({
      kind: integer(2, 1024),
      default: 1024,
      applies: 'restart',
      about: 'How many SELinux categories, from c0 on, pods are told apart by. Each pod has a pair of its own, so that 1024 are enough for 523,776 pods.',
    }),
  }),

  image: table('Pulling and unpacking images.', {
    maxParallelLayers: setting({
      kind: integer(1, 32),
      default: 3,
      applies: 'restart',
      about: 'How many layers of one image are fetched and unpacked at the same time.',
    }),
    platform: setting({
      kind: textLike('platform', '"auto" or os/architecture[/variant], such as "linux/arm64"', /^(auto|[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9.]+)?)$/),
      default: 'auto',
      applies: 'restart',
      about: "Which of a multi-platform image's variants is taken. `auto` is the node's own.",
    }),
    pinned: setting({
      kind: textsLike('list of images', 'a list of images such as "registry.k8s.io/pause:3.9" or "registry.example/base/*", where * stands for any characters', /^[^\s\0]{1,512}$/),
      default: [],
      applies: 'live',
      about: 'Images that the kubelet never removes to make room. A pattern with * is held against complete names, such as docker.io/library/busybox:1.36.',
    }),
  }),

  registry: table('What other tools left on the node about registries. All of it is read at each pull; what is not there says nothing. `gantry registry explain IMAGE` shows what comes of it.', {
    hostsDirs: setting({
      kind: paths,
      default: ['/etc/containerd/certs.d', '/etc/containers/certs.d', '/etc/docker/certs.d'],
      applies: 'restart',
      about: 'Folders with one folder a registry: `hosts.toml` as containerd reads it, or certificates as Docker and Podman have them. The first that knows the registry counts.',
    }),
    dockerDaemonJson: setting({
      kind: path,
      default: '/etc/docker/daemon.json',
      applies: 'restart',
      about: "A Docker daemon's configuration, of which `registry-mirrors` and `insecure-registries` count.",
    }),
    authFiles: setting({
      kind: paths,
      default: ['/run/containers/0/auth.json', '/root/.docker/config.json'],
      applies: 'restart',
      about: 'Credentials as `podman login` and `docker login` leave them, credential helpers included. Used where the kubelet sends none.',
    }),
    signatureStoresDir: setting({
      kind: path,
      default: '/etc/containers/registries.d',
      applies: 'restart',
      about: 'Folder of `*.yaml` files that say where the signatures of images are: `lookaside` stores, and whether there are sigstore attachments. Read when `signaturePolicy` wants a signature.',
    }),
  }),

  streaming: table('The server that carries exec, attach and port-forward sessions, to which the kubelet passes its clients on.', {
    address: setting({
      kind: ipAddress,
      default: '127.0.0.1',
      applies: 'restart',
      about: 'Where it listens. The kubelet is on the same node: loopback is enough, and all that should be open without TLS.',
    }),
    port: setting({
      kind: integer(0, 65_535),
      default: 0,
      applies: 'restart',
      about: 'The TCP port; 0 is any that is free, as the kubelet learns it with each session.',
    }),
    tlsCertFile: setting({
      kind: optionalPath,
      default: '',
      applies: 'restart',
      about: 'The certificate to answer with, PEM, with those that vouch for it behind it. With it and its key everything goes over TLS. Files that were renewed are used from the next session on.',
    }),
    tlsKeyFile: setting({ kind: optionalPath, default: '', applies: 'restart', about: "The certificate's private key, PEM." }),
    tlsMinVersion: setting({
      kind: oneOf(['1.2', '1.3']),
      default: '1.2',
      applies: 'restart',
      about: 'The oldest version of TLS that is spoken.',
    }),
    idleTimeout: setting({
      kind: duration(1000, 86_400_000),
      default: 14_400_000,
      applies: 'restart',
      about: 'A session over which nothing goes for so long is ended.',
    }),
    creationTimeout: setting({
      kind: duration(1000, 600_000),
      default: 30_000,
      applies: 'restart',
      about: 'How long a client that connected may take to open the streams it asked for.',
    }),
    maxSessions: setting({
      kind: integer(1, 100_000),
      default: 1000,
      applies: 'restart',
      about: 'The most sessions at a time, those that were asked for in the last minute and not begun included.',
    }),
  }),

  grpc: table('The CRI server.', {
    maxMessageBytes: setting({
      kind: size(1 << 20, 256 << 20),
      default: 16 << 20,
      applies: 'restart',
      about: 'The largest request or answer. A kubelet accepts 16 MiB.',
    }),
  }),

  dockerApi: table("A Docker Engine API for agents that still ask `docker.sock`, over Gantry's own pods, containers and images. It changes nothing ([docker-api.md](docker-api.md)).", {
    socket: setting({
      kind: optionalSocketPath,
      default: '',
      applies: 'restart',
      about: 'The unix socket that it is served on; "" is none. Whoever can write to it reads the logs of all containers. Agents that cannot be told another path look for `/var/run/docker.sock`.',
    }),
  }),

  debug: table('For tests of Gantry itself.', {
    faults: setting({
      kind: truth,
      default: false,
      applies: 'restart',
      about: 'Whether the daemon breaks on purpose where the environment variable `GANTRY_FAULTS` says so (docs/faults.md). Never on a node that matters: without this setting a daemon that finds the variable does not start.',
    }),
  }),
});

/** The finished configuration: every key present, checked, durations in milliseconds, sizes in bytes. */
export type Config = ValueOf<typeof schema>;

/** What must hold between settings. Answers the key at fault and what is wanted of it. */
export function contradictions(config: Config): readonly { key: string; value: unknown; wanted: string }[] {
  const found: { key: string; value: unknown; wanted: string }[] = [];
  if (config.root === config.state) {
    found.push({ key: 'state', value: config.state, wanted: 'a folder other than root, as a reboot may empty it' });
  }
  if (config.dockerApi.socket === config.socket) found.push({ key: 'docker_api.socket', value: config.socket, wanted: 'a path other than that of socket' });
  const { tlsCertFile, tlsKeyFile } = config.streaming;
  if (tlsCertFile !== '' && tlsKeyFile === '') found.push({ key: 'streaming.tls_cert_file', value: tlsCertFile, wanted: '"" unless tls_key_file is set too' });
  if (tlsCertFile === '' && tlsKeyFile !== '') found.push({ key: 'streaming.tls_key_file', value: tlsKeyFile, wanted: '"" unless tls_cert_file is set too' });
  const handlers = Object.keys(config.runtime.handlers);
  if (!handlers.includes(config.runtime.defaultHandler)) {
    found.push({ key: 'runtime.default_handler', value: config.runtime.defaultHandler, wanted: `one of the handlers: ${handlers.join(', ')}` });
  }
  for (const [name, handler] of Object.entries(config.runtime.handlers)) {
    if (handler.privilegedWithoutHostDevices || !handler.privilegedWithoutHostDevicesAllDevicesAllowed) continue;
    found.push({ key: `runtime.handlers.${name}.privileged_without_host_devices_all_devices_allowed`, value: true, wanted: 'false, unless privileged_without_host_devices is true' });
  }
  return found;
}
