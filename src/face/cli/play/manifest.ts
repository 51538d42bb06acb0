/**
 * What `gantry play` understood of a manifest: the Kubernetes objects with defaults filled in, quantities and modes
 * parsed, names checked. Everything behind the parser works on these types and can trust them.
 */

export interface Manifest {
  readonly pods: readonly PodManifest[];
  readonly configMaps: readonly DataObject[];
  readonly secrets: readonly DataObject[];
}

/** A ConfigMap or Secret: keys and their bytes. */
export interface DataObject {
  readonly name: string;
  readonly namespace: string;
  readonly data: ReadonlyMap<string, Buffer>;
}

export interface PodManifest {
  /** `Pod web`, `Deployment web`: the object in the file, for messages. */
  readonly source: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
}

export interface PodSpec {
  readonly initContainers: readonly ContainerSpec[];
  readonly containers: readonly ContainerSpec[];
  readonly volumes: readonly VolumeSpec[];
  readonly hostname: string | undefined;
  readonly subdomain: string | undefined;
  readonly hostNetwork: boolean;
  readonly hostPid: boolean;
  readonly hostIpc: boolean;
  readonly shareProcessNamespace: boolean;
  readonly dnsPolicy: DnsPolicy;
  readonly dnsConfig: DnsSettings;
  readonly hostAliases: readonly HostAlias[];
  readonly security: PodSecurity;
  readonly terminationGracePeriodSeconds: number;
  readonly runtimeClassName: string | undefined;
  readonly serviceAccountName: string;
}

export type DnsPolicy = 'ClusterFirst' | 'ClusterFirstWithHostNet' | 'Default' | 'None';

export interface DnsSettings {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface HostAlias {
  readonly ip: string;
  readonly hostnames: readonly string[];
}

export interface Profile {
  readonly type: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  readonly localhostProfile: string;
}

/** What a pod and a container can both say; the container's word counts. */
export interface CommonSecurity {
  readonly runAsUser: bigint | undefined;
  readonly runAsGroup: bigint | undefined;
  readonly runAsNonRoot: boolean | undefined;
  readonly seccomp: Profile | undefined;
  readonly apparmor: Profile | undefined;
  readonly selinux: { user: string; role: string; type: string; level: string } | undefined;
}

export interface PodSecurity extends CommonSecurity {
  readonly fsGroup: bigint | undefined;
  readonly supplementalGroups: readonly bigint[];
  readonly supplementalGroupsPolicy: 'Merge' | 'Strict';
  readonly sysctls: Readonly<Record<string, string>>;
}

export interface ContainerSecurity extends CommonSecurity {
  readonly privileged: boolean;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly readOnlyRootFilesystem: boolean;
  readonly allowPrivilegeEscalation: boolean;
  readonly procMount: 'Default' | 'Unmasked';
}

export interface ContainerSpec {
  readonly name: string;
  /** Where it stands in the object, for messages: `spec.containers[0]`. */
  readonly path: string;
  readonly image: string;
  readonly pullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  /** An init container with restartPolicy Always: it starts in its turn and goes on. */
  readonly sidecar: boolean;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly env: readonly EnvVar[];
  readonly envFrom: readonly EnvFrom[];
  readonly ports: readonly Port[];
  readonly resources: Resources;
  readonly mounts: readonly VolumeMount[];
  readonly security: ContainerSecurity;
  readonly terminationMessagePath: string;
  readonly terminationMessagePolicy: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
}

export interface KeyRef {
  readonly name: string;
  readonly key: string;
  readonly optional: boolean;
}

export type EnvVar = { readonly name: string; readonly path: string } & (
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'configMapKey'; readonly ref: KeyRef }
  | { readonly kind: 'secretKey'; readonly ref: KeyRef }
  | { readonly kind: 'field'; readonly field: string }
);

export interface EnvFrom {
  readonly path: string;
  readonly kind: 'configMap' | 'secret';
  readonly name: string;
  readonly prefix: string;
  readonly optional: boolean;
}

export interface Port {
  readonly path: string;
  readonly name: string | undefined;
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
}

/** Undefined: not asked for, or no limit. */
export interface Resources {
  readonly cpuRequestMilli: number | undefined;
  readonly cpuLimitMilli: number | undefined;
  readonly memoryRequest: bigint | undefined;
  readonly memoryLimit: bigint | undefined;
  /** Page size as the CRI spells it (`2MB`, `1GB`) to bytes. */
  readonly hugepages: ReadonlyMap<string, bigint>;
}

export interface VolumeMount {
  readonly path: string;
  readonly volume: string;
  readonly mountPath: string;
  readonly readOnly: boolean;
  readonly subPath: string;
  /** The subPath is to be expanded with the container's environment. */
  readonly subPathExpands: boolean;
  readonly propagation: 'None' | 'HostToContainer' | 'Bidirectional';
}

export interface VolumeItem {
  readonly key: string;
  readonly path: string;
  readonly mode: number | undefined;
}

export const hostPathTypes = ['', 'DirectoryOrCreate', 'Directory', 'FileOrCreate', 'File', 'Socket', 'CharDevice', 'BlockDevice'] as const;
export type HostPathType = (typeof hostPathTypes)[number];

export type VolumeSpec = { readonly name: string; readonly path: string } & (
  | { readonly kind: 'emptyDir' }
  | { readonly kind: 'hostPath'; readonly hostPath: string; readonly type: HostPathType }
  | {
      readonly kind: 'configMap' | 'secret';
      readonly object: string;
      readonly items: readonly VolumeItem[] | undefined;
      readonly defaultMode: number;
      readonly optional: boolean;
    }
);

/** All containers in the order in which they are started. */
export function allContainers(spec: PodSpec): readonly ContainerSpec[] {
  return [...spec.initContainers, ...spec.containers];
}
