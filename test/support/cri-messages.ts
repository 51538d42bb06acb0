/** Complete CRI messages from the few fields that a test cares about. */
import { randomUUID } from 'node:crypto';
import {
  ContainerConfig, ContainerMetadata, ImageSpec, LinuxContainerConfig, LinuxContainerSecurityContext, LinuxPodSandboxConfig,
  LinuxSandboxSecurityContext, NamespaceMode, NamespaceOption, PodSandboxConfig, PodSandboxMetadata,
} from '../../src/gen/cri.ts';

interface Decodes<T> {
  decode(input: Uint8Array): T;
}

/** A message with every field at protobuf's default, but for those given. */
export function message<T>(type: Decodes<T>, fields: Partial<T> = {}): T {
  return { ...type.decode(new Uint8Array()), ...fields };
}

export interface PodOptions {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly attempt?: number;
  readonly logDirectory?: string;
  readonly cgroupParent?: string;
  readonly namespaces?: Partial<NamespaceOption>;
  /** Anything else, as the CRI has it. */
  readonly config?: Partial<PodSandboxConfig>;
}

/** What the kubelet would send for a plain pod that may have privileged containers: own network and IPC, a PID namespace for each container. */
export function podConfig(options: PodOptions): PodSandboxConfig {
  const { name, namespace = 'default', uid = randomUUID(), attempt = 0, logDirectory = '', cgroupParent = '' } = options;
  return message(PodSandboxConfig, {
    metadata: message(PodSandboxMetadata, { name, namespace, uid, attempt }),
    hostname: name,
    logDirectory,
    linux: message(LinuxPodSandboxConfig, {
      cgroupParent,
      securityContext: message(LinuxSandboxSecurityContext, { namespaceOptions: namespaceOptions(options.namespaces), privileged: true }),
    }),
    ...options.config,
  });
}

export interface ContainerOptions {
  readonly name: string;
  readonly image: string;
  readonly attempt?: number;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly logPath?: string;
  readonly namespaces?: Partial<NamespaceOption>;
  readonly config?: Partial<ContainerConfig>;
}

/** What the kubelet would send for a plain container. */
export function containerConfig(options: ContainerOptions): ContainerConfig {
  const { name, image, attempt = 0, command = [], args = [], logPath = `${options.name}-${options.attempt ?? 0}.log` } = options;
  return message(ContainerConfig, {
    metadata: message(ContainerMetadata, { name, attempt }),
    image: message(ImageSpec, { image }),
    command: [...command],
    args: [...args],
    logPath,
    linux: message(LinuxContainerConfig, {
      securityContext: message(LinuxContainerSecurityContext, { namespaceOptions: namespaceOptions(options.namespaces) }),
    }),
    ...options.config,
  });
}

function namespaceOptions(fields: Partial<NamespaceOption> = {}): NamespaceOption {
  return message(NamespaceOption, { pid: NamespaceMode.CONTAINER, ...fields });
}
