/** What the node as a whole says of itself when a Docker Engine does the work. */
import type { NodeEngine, VerboseInfo } from '../../engine/engine.ts';
import { CgroupDriver } from '../../gen/cri.ts';
import type { RuntimeCondition, RuntimeHandler } from '../../gen/cri.ts';
import type { CniStatus } from '../../part/cni/network.ts';
import { isAtLeast } from '../api/api-version.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { clearLeaks, listLeaks } from './leaks.ts';

export function createNodeEngine(deps: DockerDeps): NodeEngine {
  return {
    async status(verbose) {
      const network = await deps.cni.status();
      const conditions: RuntimeCondition[] = [runtimeReady(deps), {
        type: 'NetworkReady', status: network.ready, reason: network.ready ? '' : 'NetworkPluginNotReady', message: network.message,
      }];
      return {
        status: { conditions },
        handlers: await handlers(deps),
        features: { supplementalGroupsPolicy: false, userNamespacesHostNetwork: false, mountOptions: false },
        info: verbose ? await verboseInfo(deps, network) : {},
      };
    },
    async runtimeConfig() {
      return { linux: { cgroupDriver: (await deps.cgroupDriver()) === 'systemd' ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS } };
    },
    async updatePodCidr(podCidr, ctx) {
      if (podCidr !== '') ctx.log.debug('the kubelet told the pod CIDR, the CNI configuration decides', { podCidr });
    },
    leaks: async () => listLeaks(deps),
    clearLeaks: async (leaks) => clearLeaks(deps, leaks),
  };
}

function runtimeReady({ mirror }: DockerDeps): RuntimeCondition {
  const { shortcoming } = mirror;
  if (shortcoming === undefined) return { type: 'RuntimeReady', status: true, reason: '', message: '' };
  return { type: 'RuntimeReady', status: false, reason: 'DockerEngineAway', message: shortcoming };
}

/** The runtimes that the Engine has; none while it is away. The kubelet knows the default one by the empty name as well. */
async function handlers(deps: DockerDeps): Promise<RuntimeHandler[]> {
  if (deps.mirror.shortcoming !== undefined) return [];
  const features = { recursiveReadOnlyMounts: deps.hostFacts.recursiveReadOnly && isAtLeast(await deps.api.version(), '1.44'), userNamespaces: false };
  return ['', ...Object.keys((await deps.info()).Runtimes)].map((name) => ({ name, features }));
}

async function verboseInfo(deps: DockerDeps, network: CniStatus): Promise<VerboseInfo> {
  return {
    config: JSON.stringify(deps.config()),
    cniconfig: JSON.stringify({ network: network.network ?? null, skipped: network.skipped }),
    lastCNILoadStatus: network.ready ? 'OK' : network.message,
    docker: JSON.stringify(await described(deps)),
  };
}

async function described(deps: DockerDeps): Promise<object> {
  if (deps.mirror.shortcoming !== undefined) return { socket: deps.api.socket, away: deps.mirror.shortcoming };
  const [identity, info] = await Promise.all([deps.api.identity(), deps.info()]);
  return { socket: deps.api.socket, version: identity.Version, api: await deps.api.version(), storageDriver: info.Driver, cgroupDriver: info.CgroupDriver, liveRestore: info.LiveRestoreEnabled ?? false, root: info.DockerRootDir };
}
