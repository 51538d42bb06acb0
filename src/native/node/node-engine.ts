/** What the node as a whole says of itself: conditions, handlers, features, the kubelet's settings. */
import { messageOf } from '../../base/errors.ts';
import type { NodeEngine, VerboseInfo } from '../../engine/engine.ts';
import { CgroupDriver } from '../../gen/cri.ts';
import type { RuntimeCondition, RuntimeHandler } from '../../gen/cri.ts';
import type { Cni, CniStatus } from '../../part/cni/network.ts';
import type { OciRuntime } from '../../part/oci/oci-runtime.ts';
import type { RuntimeHandlers } from '../../part/oci/runtime-handlers.ts';
import type { RuntimeProbe } from '../../part/oci/runtime-probe.ts';
import { describeShortcomings } from '../../part/spec/host-facts.ts';
import type { HostFacts } from '../../part/spec/host-facts.ts';

export interface NodeDeps {
  readonly handlers: RuntimeHandlers;
  readonly cni: Cni;
  readonly hostFacts: HostFacts;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  /** The effective configuration, for the verbose status. */
  readonly config: unknown;
}

export function createNodeEngine(deps: NodeDeps): NodeEngine {
  const probes = new ProbeCache();
  return {
    async status(verbose) {
      const network = await deps.cni.status();
      const handlers = deps.handlers.all();
      const probed = await Promise.all(handlers.map((runtime) => probes.probe(runtime)));
      return {
        status: { conditions: [runtimeReady(probed[handlers.indexOf(deps.handlers.get(''))]), networkReady(network)] },
        handlers: handlers.flatMap((runtime, n) => describe(runtime, probed[n]!, deps)),
        features: { supplementalGroupsPolicy: true, userNamespacesHostNetwork: false, mountOptions: true },
        info: verbose ? verboseInfo(deps, network, handlers.map((runtime, n) => [runtime.name, probed[n]!])) : {},
      };
    },
    async runtimeConfig() {
      return { linux: { cgroupDriver: deps.cgroupDriver === 'systemd' ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS } };
    },
    // The CNI configuration says which addresses pods get; a node whose network wants the kubelet's CIDR has a plugin that reads it there.
    async updatePodCidr(podCidr, ctx) {
      if (podCidr !== '') ctx.log.debug('the kubelet told the pod CIDR, the CNI configuration decides', { podCidr });
    },
  };
}

type Probed = RuntimeProbe | { readonly error: string };

/** A runtime is asked once; one that failed is asked again, for somebody may install it. */
class ProbeCache {
  readonly #known = new Map<string, RuntimeProbe>();

  async probe(runtime: OciRuntime): Promise<Probed> {
    const known = this.#known.get(runtime.name);
    if (known !== undefined) return known;
    try {
      const probe = await runtime.probe();
      this.#known.set(runtime.name, probe);
      return probe;
    } catch (error) {
      return { error: messageOf(error) };
    }
  }
}

/** The node is ready when its default handler is: another that is broken takes only its own pods down. */
function runtimeReady(probed: Probed | undefined): RuntimeCondition {
  if (probed !== undefined && 'error' in probed) return { type: 'RuntimeReady', status: false, reason: 'RuntimeMissing', message: probed.error };
  return { type: 'RuntimeReady', status: true, reason: '', message: '' };
}

function networkReady(network: CniStatus): RuntimeCondition {
  return network.ready
    ? { type: 'NetworkReady', status: true, reason: '', message: '' }
    : { type: 'NetworkReady', status: false, reason: 'NetworkPluginNotReady', message: network.message };
}

/** The kubelet knows the default handler by the empty name as well. A handler that cannot run is not offered. */
function describe(runtime: OciRuntime, probed: Probed, { handlers, hostFacts }: NodeDeps): RuntimeHandler[] {
  if ('error' in probed) return [];
  const features = { recursiveReadOnlyMounts: probed.recursiveReadOnly && hostFacts.recursiveReadOnly, userNamespaces: false };
  const names = handlers.get('') === runtime ? ['', runtime.name] : [runtime.name];
  return names.map((name) => ({ name, features }));
}

/** Under the keys that tools know from containerd. */
function verboseInfo(deps: NodeDeps, network: CniStatus, handlers: readonly (readonly [string, Probed])[]): VerboseInfo {
  return {
    config: JSON.stringify(deps.config),
    cniconfig: JSON.stringify({ network: network.network ?? null, skipped: network.skipped }),
    lastCNILoadStatus: network.ready ? 'OK' : network.message,
    runtimes: JSON.stringify(Object.fromEntries(handlers)),
    host: JSON.stringify({ cgroups: deps.hostFacts.cgroupMode, goesWithout: describeShortcomings(deps.hostFacts) }),
  };
}
