/** An attachment: one interface of one container (for us a pod) on the network (CNI spec section 3, "Attachment Parameters"). */
import { failure } from '../../base/errors.ts';

/** The spec identifies an attachment by these two. */
export interface AttachmentKey {
  readonly containerId: string;
  /** Interface name inside the pod; Kubernetes wants `eth0`. */
  readonly ifName: string;
}

/** Capability `portMappings` (CNI CONVENTIONS.md). */
export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly hostIP?: string;
}

/** Values for plugins that declare the capability; others never see them. Any further key is passed on as it is. */
export interface CapabilityArguments {
  readonly portMappings?: readonly PortMapping[];
  /** Bits a second and bits. */
  readonly bandwidth?: { readonly ingressRate?: number; readonly ingressBurst?: number; readonly egressRate?: number; readonly egressBurst?: number };
  readonly ipRanges?: readonly (readonly Readonly<Record<string, string>>[])[];
  readonly dns?: { readonly servers?: readonly string[]; readonly searches?: readonly string[]; readonly options?: readonly string[] };
  readonly cgroupPath?: string;
  readonly 'io.kubernetes.cri.pod-annotations'?: Readonly<Record<string, string>>;
  readonly [capability: string]: unknown;
}

export interface Attachment extends AttachmentKey {
  readonly netnsPath: string;
  /** CNI_ARGS: `K8S_POD_NAMESPACE` and its like, with `IgnoreUnknown: '1'` so that plugins accept names they do not know. */
  readonly args: Readonly<Record<string, string>>;
  readonly capabilities: CapabilityArguments;
  /** Where its network is configured, when that is not the node's directory. */
  readonly confDir?: string;
}

const idForm = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
const interfaceForm = /^[^/:\s]{1,15}$/;

/** Throws invalid-argument unless the spec allows the key; one that passed is also safe as a file name. */
export function validateKey({ containerId, ifName }: AttachmentKey): void {
  const refuse = (object: string, why: string) => failure('invalid-argument', { act: 'attach to network', object: JSON.stringify(object.slice(0, 150)), why });
  if (!idForm.test(containerId)) throw refuse(containerId, 'a CNI container id is 1 to 128 letters, digits, _ . and -, and begins with a letter or digit');
  if (!interfaceForm.test(ifName) || ifName === '.' || ifName === '..') throw refuse(ifName, 'an interface name has 1 to 15 characters without /, : and blanks');
}

/** The text of CNI_ARGS. A key or value that would read as a further pair, or that plugins cannot take apart, is invalid-argument. */
export function argsText(args: Readonly<Record<string, string>>): string {
  return Object.entries(args).map(([key, value]) => {
    if (key === '' || /[;=\0]/.test(key) || /[;=\0]/.test(value)) {
      throw failure('invalid-argument', { act: 'pass CNI argument', object: JSON.stringify(`${key}=${value}`.slice(0, 150)), why: 'neither name nor value may hold ; or =' });
    }
    return `${key}=${value}`;
  }).join(';');
}
