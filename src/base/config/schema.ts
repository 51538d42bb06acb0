/**
 * The one declaration of Gantry's configuration. Defaults, flags, environment variables, reading and checking of TOML,
 * `--help`, `gantry config default`, docs/configuration.md and the reload's comparison all come from it, and so does
 * the type `Config`.
 */
import { logLevels } from '../log.ts';
import { duration, integer, oneOf, ownFolder, path, paths, size, socketPath, textLike, truth } from './kinds.ts';
import { named, required, setting, table } from './tree.ts';
import type { ValueOf } from './tree.ts';

const handlerName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const wantedHandlerName = 'lower-case letters, digits and dashes, 63 at most (a RuntimeClass handler)';

export const schema = table('', {
  root: setting({
    kind: ownFolder,
    default: '/var/lib/gantry',
    flag: '--root',
    applies: 'restart',
    about: 'Where images, containers and the database are kept. It survives a reboot, belongs to one daemon, and must be on a filesystem that overlayfs can use.',
  }),
  state: setting({
    kind: ownFolder,
    default: '/run/gantry',
    flag: '--state',
    applies: 'restart',
    about: 'Where the files of running pods are kept: namespaces, bundles, exit codes. It should be on a tmpfs, so that a reboot empties it.',
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
    about: 'Mirrors, blocked registries and short names, in the format that Podman, Skopeo and CRI-O read. It need not exist.',
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
      }),
    }),
  }),

  container: table('What every container gets, where its pod or image does not say otherwise. A change holds for containers made after it.', {
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
  }),

  cgroup: table('How the processes of pods are accounted and limited.', {
    driver: setting({
      kind: oneOf(['auto', 'cgroupfs', 'systemd']),
      default: 'auto',
      flag: '--cgroup-driver',
      applies: 'restart',
      about: "Who makes the cgroups. It has to be the kubelet's `cgroupDriver`, which kubelets from 1.28 on ask for here. `auto` is systemd where systemd runs the node with cgroup v2, else cgroupfs.",
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
  }),

  grpc: table('The CRI server.', {
    maxMessageBytes: setting({
      kind: size(1 << 20, 256 << 20),
      default: 16 << 20,
      applies: 'restart',
      about: 'The largest request or answer. A kubelet accepts 16 MiB.',
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
  const handlers = Object.keys(config.runtime.handlers);
  if (!handlers.includes(config.runtime.defaultHandler)) {
    found.push({ key: 'runtime.default_handler', value: config.runtime.defaultHandler, wanted: `one of the handlers: ${handlers.join(', ')}` });
  }
  return found;
}
