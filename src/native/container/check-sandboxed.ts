import { capabilityName } from '../../base/capabilities.ts';
import { failure } from '../../base/errors.ts';
import { MountPropagation } from '../../gen/cri.ts';
import type { ContainerConfig } from '../../gen/cri.ts';
import { requestedDevices } from '../../part/cdi/requested-devices.ts';
import { capabilitiesUnknownToGvisor } from '../../part/oci/gvisor.ts';
import type { OciRuntime, SandboxTraits } from '../../part/oci/oci-runtime.ts';
import { localhostSeccompPath } from '../../part/spec/with-seccomp.ts';

interface Shortcoming {
  readonly field: string;
  readonly isAsked: (config: ContainerConfig, sandbox: SandboxTraits) => boolean;
  /** After "handler NAME runs pods in gVisor sandboxes,". */
  readonly why: string;
}

const security = 'linux.security_context';

/** What gVisor would leave out without a word, or fail at when the container is started. */
const shortcomings: readonly Shortcoming[] = [
  { field: 'devices', isAsked: (config, { hostDevices }) => config.devices.length > 0 && !hostDevices, why: "which have no devices of the node: leave them out, or give the handler the flag for their kind (--nvproxy, --tpuproxy) if its gVisor has it" },
  { field: 'CDI_devices', isAsked: (config, { hostDevices }) => requestedDevices(config).length > 0 && !hostDevices, why: "which have no devices of the node: leave them out, or give the handler the flag for their kind (--nvproxy, --tpuproxy) if its gVisor has it" },
  { field: `${security}.seccomp`, isAsked: (config, { ociSeccomp }) => localhostSeccompPath(config) !== undefined && !ociSeccomp, why: 'which apply no profile of the node: give the handler the flag --oci-seccomp, or ask for RuntimeDefault' },
  { field: 'mounts.propagation', isAsked: (config) => config.mounts.some(({ propagation }) => propagation === MountPropagation.PROPAGATION_BIDIRECTIONAL), why: 'whose mounts never show on the node: ask for HostToContainer at most' },
  { field: `${security}.capabilities.add_capabilities`, isAsked: (config) => asksForUnknown(config), why: `which know no ${capabilitiesUnknownToGvisor.join(', ')}: leave them out` },
];

/** Refuses what a container cannot have in a gVisor sandbox, before anything is made: failed-precondition. Other runtimes pass. */
export function checkSandboxed(runtime: Pick<OciRuntime, 'sandbox' | 'name'> | undefined, config: ContainerConfig): void {
  if (runtime?.sandbox === undefined) return;
  const { sandbox, name } = runtime;
  const found = shortcomings.find(({ isAsked }) => isAsked(config, sandbox));
  if (found !== undefined) throw failure('failed-precondition', { act: 'create container', object: config.metadata?.name ?? '', why: `config.${found.field}: handler ${name} runs pods in gVisor sandboxes, ${found.why}` });
}

function asksForUnknown({ linux }: ContainerConfig): boolean {
  const { addCapabilities = [], addAmbientCapabilities = [] } = linux?.securityContext?.capabilities ?? {};
  return [...addCapabilities, ...addAmbientCapabilities].some((text) => capabilitiesUnknownToGvisor.includes(capabilityName(text) ?? ''));
}
