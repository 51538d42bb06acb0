/** What the node as a whole says of itself: conditions, handlers, features, the kubelet's settings. */
import { GantryError, messageOf } from '../../base/errors.ts';
import type { NodeEngine, VerboseInfo } from '../../engine/engine.ts';
import { CgroupDriver } from '../../gen/cri.ts';
import type { RuntimeCondition, RuntimeHandler } from '../../gen/cri.ts';
import { abandonedWork } from '../../host/abandoned.ts';
import { fencedFiles } from '../../host/fenced-files.ts';
import type { ProjectProbe } from '../../host/project-quota.ts';
import type { CdiDevices } from '../../part/cdi/cdi-devices.ts';
import type { Criu } from '../../part/checkpoint/criu.ts';
import type { Cni, CniStatus } from '../../part/cni/network.ts';
import type { HookFolders } from '../../part/hooks/hook-folders.ts';
import type { OciRuntime } from '../../part/oci/oci-runtime.ts';
import type { RuntimeHandlers } from '../../part/oci/runtime-handlers.ts';
import type { Probed, ProbeCache } from '../../part/oci/probe-cache.ts';
import type { Snapshotters } from '../../part/snapshot/choose-snapshotter.ts';
import { describeShortcomings } from '../../part/spec/host-facts.ts';
import type { HostFacts } from '../../part/spec/host-facts.ts';
import { handlersReady, handlerTroubles } from './handlers-ready.ts';
import type { LeakSearch } from './leak-search.ts';

export interface NodeDeps {
  readonly leaks: LeakSearch;
  readonly handlers: RuntimeHandlers;
  readonly probes: ProbeCache;
  /** Whether the configuration says no more of a handler than Gantry does by itself. */
  readonly isBuiltIn: (handler: string) => boolean;
  /** Where the network of its pods is configured; undefined where that is the node's. */
  readonly cniConfDir: (handler: string) => string | undefined;
  readonly userNamespaces: { readonly offeredBy: (runtime: OciRuntime) => Promise<boolean> };
  readonly snapshotters: Snapshotters;
  /** What the filesystem of the writable layers was found to count. */
  readonly projects: ProjectProbe;
  readonly criu: Pick<Criu, 'state'>;
  readonly cni: Cni;
  readonly cdi: CdiDevices;
  readonly hooks: HookFolders;
  readonly hostFacts: HostFacts;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  readonly conmonPath: string;
  /** The configuration in force, for the verbose status. */
  readonly config: () => unknown;
}

export function createNodeEngine(deps: NodeDeps): NodeEngine {
  return {
    async status(verbose) {
      const network = await deps.cni.status();
      const handlers = deps.handlers.all();
      const probed = await Promise.all(handlers.map((runtime) => deps.probes.ask(runtime)));
      const networks = await networksOf(handlers, deps);
      const troubles = await handlerTroubles({ handlers: handlers.map((runtime, n) => ({ runtime, probed: probed[n]!, network: networks.get(runtime.name) })), standard: deps.handlers.get(''), isBuiltIn: deps.isBuiltIn });
      const withUsers = await Promise.all(handlers.map((runtime) => deps.userNamespaces.offeredBy(runtime)));
      return {
        status: { conditions: [await runtimeReady(probed[handlers.indexOf(deps.handlers.get(''))], deps.conmonPath), networkReady(network), ...handlersReady(troubles)] },
        handlers: handlers.flatMap((runtime, n) => describe(runtime, { probed: probed[n]!, userNamespaces: withUsers[n]! }, deps)),
        features: { supplementalGroupsPolicy: true, userNamespacesHostNetwork: withUsers.includes(true), mountOptions: true },
        info: verbose ? await verboseInfo(deps, network, { probed: handlers.map((runtime, n) => [runtime.name, probed[n]!]), networks }) : {},
      };
    },
    async runtimeConfig() {
      return { linux: { cgroupDriver: deps.cgroupDriver === 'systemd' ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS } };
    },
    // The CNI configuration says which addresses pods get; a node whose network wants the kubelet's CIDR has a plugin that reads it there.
    async updatePodCidr(podCidr, ctx) {
      if (podCidr !== '') ctx.log.debug('the kubelet told the pod CIDR, the CNI configuration decides', { podCidr });
    },
    leaks: () => deps.leaks.list(),
    clearLeaks: (leaks) => deps.leaks.clear(leaks),
  };
}

/** The node is ready when its default handler and the monitor are: another handler that is broken takes only its own pods down. */
async function runtimeReady(probed: Probed | undefined, conmonPath: string): Promise<RuntimeCondition> {
  const notReady = (reason: string, message: string): RuntimeCondition => ({ type: 'RuntimeReady', status: false, reason, message });
  if (probed !== undefined && 'error' in probed) return notReady('RuntimeMissing', probed.error);
  const trouble = await fencedFiles.reachProgram(conmonPath).then(() => undefined, (error: unknown) => (error instanceof GantryError ? error.message : `no program ${conmonPath}; install conmon or correct its path`));
  if (trouble !== undefined) return notReady('MonitorMissing', trouble);
  return { type: 'RuntimeReady', status: true, reason: '', message: '' };
}

function networkReady(network: CniStatus): RuntimeCondition {
  return network.ready
    ? { type: 'NetworkReady', status: true, reason: '', message: '' }
    : { type: 'NetworkReady', status: false, reason: 'NetworkPluginNotReady', message: network.message };
}

/** The kubelet knows the default handler by the empty name as well. A handler that cannot run is not offered. */
function describe(runtime: OciRuntime, { probed, userNamespaces }: { probed: Probed; userNamespaces: boolean }, { handlers, hostFacts }: NodeDeps): RuntimeHandler[] {
  if ('error' in probed) return [];
  const features = { recursiveReadOnlyMounts: probed.recursiveReadOnly && hostFacts.recursiveReadOnly, userNamespaces };
  const names = handlers.get('') === runtime ? ['', runtime.name] : [runtime.name];
  return names.map((name) => ({ name, features }));
}

/** Of those handlers whose pods have a network of their own. */
async function networksOf(handlers: readonly OciRuntime[], { cni, cniConfDir }: NodeDeps): Promise<Map<string, CniStatus>> {
  const found = await Promise.all(handlers.flatMap(({ name }) => {
    const directory = cniConfDir(name);
    return directory === undefined ? [] : cni.status(directory).then((status) => [name, status] as const);
  }));
  return new Map(found);
}

function loadStatus({ ready, message }: CniStatus): string {
  return ready ? 'OK' : message;
}

/** Under the keys that tools know from containerd. */
async function verboseInfo(deps: NodeDeps, network: CniStatus, of: { probed: readonly (readonly [string, Probed])[]; networks: ReadonlyMap<string, CniStatus> }): Promise<VerboseInfo> {
  return {
    config: JSON.stringify(deps.config()),
    cniconfig: JSON.stringify({ network: network.network ?? null, skipped: network.skipped }),
    lastCNILoadStatus: loadStatus(network),
    ...Object.fromEntries([...of.networks].map(([handler, its]) => [`lastCNILoadStatus.${handler}`, loadStatus(its)])),
    runtimes: JSON.stringify(Object.fromEntries(of.probed)),
    host: JSON.stringify({ cgroups: deps.hostFacts.cgroupMode, goesWithout: describeShortcomings(deps.hostFacts) }),
    snapshotter: JSON.stringify({ driver: deps.snapshotters.inUse.driver, fallback: deps.snapshotters.fallback }),
    writableLayers: JSON.stringify(usageSource(deps)),
    checkpoint: JSON.stringify(await checkpointSupport(deps, of.probed)),
    cdi: JSON.stringify(await reported(deps.cdi)),
    hooks: JSON.stringify(await reported(deps.hooks)),
    abandoned: JSON.stringify(abandonedWork()),
  };
}

/** Where the figures of containers' writable layers come from, for those that are made now. */
function usageSource({ projects, snapshotters }: NodeDeps): object {
  if ('shortcoming' in projects) return { usage: 'measured in the background', why: projects.shortcoming };
  if (snapshotters.inUse.driver === 'copy') return { usage: 'measured in the background', why: 'roots are copies of images, which would count' };
  return { usage: 'counted by the filesystem' };
}

/** Which handlers' containers can be captured and restored, and for the others what is missing. */
async function checkpointSupport({ criu }: NodeDeps, handlers: readonly (readonly [string, Probed])[]): Promise<object> {
  const state = await criu.state();
  const ofHandler = (probed: Probed): string => ('error' in probed ? probed.error : !probed.checkpoint ? 'it is built without CRIU' : 'shortcoming' in state ? state.shortcoming : 'works');
  return { criu: state, handlers: Object.fromEntries(handlers.map(([name, probed]) => [name, ofHandler(probed)])) };
}

/** A folder that does not answer is news of the status, no failure of it. */
async function reported(source: { report(): Promise<object> }): Promise<object> {
  try {
    return await source.report();
  } catch (error) {
    return { error: messageOf(error) };
  }
}
