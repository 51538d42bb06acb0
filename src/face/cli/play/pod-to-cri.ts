/** A manifest's pod and containers as CRI configs, filled in as a kubelet fills them. Pure: facts in, messages out. */
import { MountPropagation, Protocol, Signal } from '../../../gen/cri.ts';
import type { ContainerConfig, DNSConfig, Mount, PodSandboxConfig, PortMapping } from '../../../gen/cri.ts';
import { containerResources, oomScoreAdj, podResources, qosClass } from './cgroup-resources.ts';
import { expandVariables } from './expand.ts';
import type { ContainerSpec, DnsSettings, PodManifest, PodSpec, VolumeMount } from './manifest.ts';
import type { PodFacts } from './pod-facts.ts';
import { containerSecurityToCri, podSecurityToCri, type ImageUser } from './security-to-cri.ts';

/** Annotation with the fingerprint of the manifest from which a pod was made. */
export const fingerprintAnnotation = 'gantry.play/fingerprint';

export function podToCri(pod: PodManifest, facts: PodFacts): PodSandboxConfig {
  return {
    metadata: { name: pod.name, namespace: pod.namespace, uid: facts.uid, attempt: 0 },
    hostname: pod.spec.hostNetwork ? '' : hostnameOf(pod),
    logDirectory: facts.logDirectory,
    dnsConfig: dnsToCri(pod.spec, facts.host.dns),
    portMappings: pod.spec.hostNetwork ? [] : portMappings(pod.spec),
    labels: { ...pod.labels, ...podLabels(pod, facts) },
    annotations: { ...pod.annotations, [fingerprintAnnotation]: facts.fingerprint },
    linux: {
      cgroupParent: '',
      securityContext: podSecurityToCri(pod.spec),
      sysctls: { ...pod.spec.security.sysctls },
      overhead: undefined,
      resources: podResources(pod.spec),
    },
    windows: undefined,
  };
}

export interface ContainerInput {
  readonly pod: PodManifest;
  readonly container: ContainerSpec;
  readonly facts: PodFacts;
  /** The image's id, by which it is run whatever its tag means meanwhile. */
  readonly imageId: string;
  readonly imageUser: ImageUser;
  readonly environment: ReadonlyMap<string, string>;
  readonly mounts: readonly Mount[];
}

export function containerToCri(input: ContainerInput): ContainerConfig {
  const { pod, container, facts, environment } = input;
  const expanded = (words: readonly string[]) => words.map((word) => expandVariables(word, environment));
  return {
    metadata: { name: container.name, attempt: 0 },
    image: { image: input.imageId, annotations: {}, userSpecifiedImage: container.image, runtimeHandler: '', imageRef: '' },
    command: expanded(container.command),
    args: expanded(container.args),
    workingDir: container.workingDir,
    envs: [...environment].map(([key, value]) => ({ key, value: Buffer.from(value) })),
    mounts: [...input.mounts],
    devices: [],
    labels: { ...podLabels(pod, facts), 'io.kubernetes.container.name': container.name },
    annotations: {
      'io.kubernetes.container.restartCount': '0',
      'io.kubernetes.container.terminationMessagePath': container.terminationMessagePath,
      'io.kubernetes.container.terminationMessagePolicy': container.terminationMessagePolicy,
      'io.kubernetes.pod.terminationGracePeriod': String(pod.spec.terminationGracePeriodSeconds),
    },
    logPath: logPathOf(container),
    stdin: container.stdin,
    stdinOnce: container.stdinOnce,
    tty: container.tty,
    linux: {
      resources: containerResources(container.resources, oomScoreAdj(qosClass(pod.spec), container.resources, facts.host.memoryBytes)),
      securityContext: containerSecurityToCri(container, pod.spec, input.imageUser),
    },
    windows: undefined,
    CDIDevices: [],
    stopSignal: Signal.SIGNAL_RUNTIME_DEFAULT,
  };
}

/** The log file of a container inside the pod's log directory. */
export function logPathOf(container: ContainerSpec): string {
  return `${container.name}/0.log`;
}

/** Labels by which a kubelet, and `--down`, find what belongs to a pod. */
export function podLabels(pod: { name: string; namespace: string }, facts: { uid: string }): Record<string, string> {
  return { 'io.kubernetes.pod.name': pod.name, 'io.kubernetes.pod.namespace': pod.namespace, 'io.kubernetes.pod.uid': facts.uid };
}

export function hostnameOf(pod: PodManifest): string {
  return (pod.spec.hostname ?? pod.name).slice(0, 63).replace(/[-.]+$/, '');
}

/** A mount of a volume that lies at `hostPath` on the node. */
export function mountToCri(mount: VolumeMount, hostPath: string, readonly: boolean): Mount {
  const propagation = {
    None: MountPropagation.PROPAGATION_PRIVATE,
    HostToContainer: MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
    Bidirectional: MountPropagation.PROPAGATION_BIDIRECTIONAL,
  };
  return { ...plainMount(mount.mountPath, hostPath), readonly, propagation: propagation[mount.propagation] };
}

export function plainMount(containerPath: string, hostPath: string): Mount {
  return {
    containerPath,
    hostPath,
    readonly: false,
    selinuxRelabel: false,
    propagation: MountPropagation.PROPAGATION_PRIVATE,
    uidMappings: [],
    gidMappings: [],
    recursiveReadOnly: false,
    image: undefined,
    imageSubPath: '',
    mountOptions: [],
  };
}

/** Without a cluster's DNS server, ClusterFirst is what the node itself uses; a kubelet falls back to the same. */
function dnsToCri(spec: PodSpec, host: DnsSettings): DNSConfig {
  const base = spec.dnsPolicy === 'None' ? { servers: [], searches: [], options: [] } : host;
  const unique = (items: readonly string[]) => [...new Set(items)];
  return {
    servers: unique([...base.servers, ...spec.dnsConfig.servers]),
    searches: unique([...base.searches, ...spec.dnsConfig.searches]),
    // A pod's own option replaces the node's of the same name.
    options: [...new Map([...base.options, ...spec.dnsConfig.options].map((option) => [option.split(':')[0], option])).values()],
  };
}

function portMappings(spec: PodSpec): PortMapping[] {
  const longLived = [...spec.initContainers.filter((one) => one.sidecar), ...spec.containers];
  return longLived
    .flatMap((container) => container.ports)
    .filter((port) => port.hostPort !== 0)
    .map(({ protocol, containerPort, hostPort, hostIp }) => ({ protocol: Protocol[protocol], containerPort, hostPort, hostIp }));
}
