/**
 * The composition of the native engine: every part is built here, bottom-up, and handed to the recipes. Nothing else in the
 * program knows more than its own part.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../base/config/schema.ts';
import { defaults as settingsByDefault } from '../base/config/load.ts';
import { assemble, withoutSecrets } from '../base/config/values.ts';
import { KeyedLock } from '../base/keyed-lock.ts';
import type { Logger } from '../base/log.ts';
import { ObjectIds } from '../base/object-id.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { onAbandoned } from '../host/abandoned.ts';
import { makePrivateDir } from '../host/files.ts';
import { primeThreadPool } from '../host/namespaces.ts';
import { fencedFiles } from '../host/fenced-files.ts';
import { pathThreads } from '../host/path-resolver.ts';
import { probeProjectQuotas, ProjectQuotas } from '../host/project-quota.ts';
import { createContainerEngine } from '../native/container/container-engine.ts';
import type { ContainerDeps } from '../native/container/container-deps.ts';
import { containerUndoOrder, containerUndos, removeFromRuntime } from '../native/container/container-effects.ts';
import { containerUsages } from '../native/container/container-usages.ts';
import { usesImage } from '../native/container/container-record.ts';
import type { ContainerRecord } from '../native/container/container-record.ts';
import { Checkpoints } from '../native/container/checkpoints.ts';
import { Creations } from '../native/container/creations.ts';
import { ExitSignals } from '../native/container/exit-signals.ts';
import { podGround } from '../native/container/node-defaults.ts';
import { PodContainers } from '../native/container/pod-containers.ts';
import { containerArrears, recoverContainers } from '../native/container/recover-containers.ts';
import { UsageMeter } from '../host/usage-meter.ts';
import { writableLayersUsage } from '../native/container/writable-usage.ts';
import { createImageEngine } from '../native/image/image-engine.ts';
import { UserNamespaceSupport } from '../native/pod/user-namespace-support.ts';
import { createNodeEngine } from '../native/node/node-engine.ts';
import { logHandlers } from '../native/node/log-handlers.ts';
import { leakPlaces } from '../native/node/leak-places.ts';
import { LeakSearch } from '../native/node/leak-search.ts';
import { Reconciler } from '../native/node/reconciler.ts';
import type { PodDeps } from '../native/pod/pod-deps.ts';
import { podUndoOrder, podUndos } from '../native/pod/pod-effects.ts';
import { createCheckpointEngine } from '../native/pod/checkpoint-engine.ts';
import { createPodEngine } from '../native/pod/pod-engine.ts';
import { podPlaces } from '../native/pod/pod-places.ts';
import type { PodRecord } from '../native/pod/pod-record.ts';
import { isReady } from '../native/pod/pod-state.ts';
import { createStreamEngine } from '../native/pod/stream-engine.ts';
import { collectNetworkGarbage, podArrears } from '../native/pod/recover-pods.ts';
import { Criu } from '../part/checkpoint/criu.ts';
import { UnpackPool } from '../part/layer/unpack-pool.ts';
import { CdiDevices } from '../part/cdi/cdi-devices.ts';
import { detectCgroups } from '../part/cgroup/cgroup-layout.ts';
import type { CgroupLayout } from '../part/cgroup/cgroup-layout.ts';
import type { CgroupDriver } from '../part/cgroup/cgroup-path.ts';
import { Cgroups } from '../part/cgroup/cgroups.ts';
import { createCni } from '../part/cni/network.ts';
import { HookFolders } from '../part/hooks/hook-folders.ts';
import { ExitWatch } from '../part/oci/exit-watch.ts';
import { clearProgramCopies } from '../part/oci/held-program-copies.ts';
import { ProbeCache } from '../part/oci/probe-cache.ts';
import { parsePlatform } from '../part/registry/platform.ts';
import { AppArmor, hasAppArmor } from '../part/lsm/apparmor.ts';
import { McsLevels } from '../part/lsm/mcs-levels.ts';
import { hasSelinux, labelFolder, selinuxContexts } from '../part/lsm/selinux-contexts.ts';
import type { SelinuxContexts } from '../part/lsm/selinux-contexts.ts';
import { chooseSnapshotter, snapshotterBy } from '../part/snapshot/choose-snapshotter.ts';
import { describeShortcomings, gatherHostFacts } from '../part/spec/host-facts.ts';
import { describeCutLimits } from '../part/spec/ulimits.ts';
import { Debts } from '../part/store/debts.ts';
import { Effects } from '../part/store/effects.ts';
import type { Ledger } from '../part/store/ledger.ts';
import { openStore } from '../part/store/store.ts';
import { buildDefaults, retiredDefaults, withRetired } from './build-defaults.ts';
import { buildHandlers } from './build-handlers.ts';
import type { BuiltHandlers } from './build-handlers.ts';
import { idKey } from './id-key.ts';
import { registryFiles, trustFiles } from './registry-files.ts';
import { rememberHandlers, retiredHandlers } from './remembered-handlers.ts';
import type { HandlerRecord } from './remembered-handlers.ts';
import type { RunningEngine } from './serve.ts';

const builtIn = assemble(settingsByDefault().entries).runtime.handlers;

/** How long a start waits for what its predecessor left to be undone: no plugin or runtime that hangs keeps the node from being ready. */
const startPatienceMs = 10_000;

/** The engine that the configuration names. Of the other one nothing is built or started. */
export async function buildEngine(config: Config, log: Logger): Promise<RunningEngine> {
  if (config.engine === 'native') return await buildNativeEngine(config, log);
  const { buildDockerEngine } = await import('./build-docker-engine.ts');
  return await buildDockerEngine(config, log);
}

/**
 * Builds the native engine and recovers what the daemon before this one left. When it resolves, the lists are true, and what was left half
 * made is undone, or is still being undone after 10 s.
 */
async function buildNativeEngine(config: Config, log: Logger): Promise<RunningEngine> {
  let current = config;
  await primeThreadPool();
  const roots = { root: config.root, state: config.state };
  const exitDir = join(config.state, 'exits');
  for (const folder of [join(config.root, 'containers'), join(config.root, 'checkpoints'), join(config.state, 'layers'), exitDir]) makePrivateDir(folder);
  // Root of a pod's user namespace has to pass through these to what is the pod's; each pod and container in them is closed to all others.
  for (const folder of [join(config.state, 'pods'), join(config.state, 'containers')]) makePrivateDir(folder, 0o711);

  const snapshotters = await chooseSnapshotter(config.snapshotter, join(config.root, 'containers'), log);
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const hostFacts = gatherHostFacts();
  for (const sentence of describeShortcomings(hostFacts)) log.warn(sentence);
  const apparmor = apparmorOf(config.security);
  if (apparmor?.shortcoming() !== undefined) log.warn(apparmor.shortcoming()!);
  const selinux = selinuxOf(config.security, log);
  const staging = join(config.root, 'staging'); // where layers are unpacked
  makePrivateDir(staging);
  if (selinux !== undefined) labelFolder(staging, selinux.layer);
  const layout = detectCgroups();
  const cgroups = new Cgroups({ layout, driver: cgroupDriver(config.cgroup.driver, layout) });

  const store = openStore(join(config.root, 'gantry.db'));
  const debts = new Debts({ log });
  const ids = new ObjectIds(await idKey(join(config.root, 'id-key')));
  const podRecords = store.table<PodRecord>('pod');
  const containerRecords = store.table<ContainerRecord>('container');
  const handlerRecords = store.table<HandlerRecord>('handler');
  const retired = retiredHandlers(handlerRecords, { configured: config.runtime.handlers, inUse: handlersInUse(podRecords.all(), store.ledger) });
  let asking = new AbortController();
  const { handlers, late } = await buildHandlers({ settings: config.runtime, retired, stateDir: config.state, cgroups, log, signal: asking.signal });
  const settleLater = (those: BuiltHandlers['late']): void => those.forEach((one) => void one.then((told) => told && handlers.settle(told.guess, told.known)));
  settleLater(late);
  let defaults = withRetired(await buildDefaults(config), await retiredDefaults(retired, log));
  rememberHandlers(handlerRecords, config.runtime.handlers);
  for (const name of Object.keys(retired)) log.warn('this runtime handler is not configured any more: its pods go on, and no new ones are made with it', { handler: name });
  const logCutLimits = (): void => describeCutLimits(defaults.container.ulimits, hostFacts.hardLimits).forEach((sentence) => log.info(sentence));
  logCutLimits();
  const cniConfDirs = (): string[] => [...new Set([config.cni.confDir, ...[...defaults.grounds.values()].flatMap(({ cniConfDir }) => cniConfDir ?? [])])];
  const cni = await createCni({ confDir: config.cni.confDir, otherConfDirs: cniConfDirs, binDirs: config.cni.binDirs, cacheDir: join(config.root, 'cni'), deadlineMs: config.cni.timeout, log });
  const exitWatch = new ExitWatch({ dir: exitDir, log });
  const probedProjects = probeProjectQuotas(join(config.root, 'containers'));
  const projects = probedProjects instanceof ProjectQuotas ? probedProjects : undefined;
  const usage = new UsageMeter({ projects });
  const cdi = new CdiDevices({ folders: () => current.cdi.dirs, log });
  const hooks = new HookFolders({ folders: () => current.hooks.dirs, log });
  const forgetAbandoned = onAbandoned((what) => log.warn('this was left behind at its deadline and is waited for no more: its file system or program does not answer', { ...what }));
  const ready = (record: PodRecord): boolean => isReady(record, bootId);
  const probes = new ProbeCache();
  const userNamespaces = new UserNamespaceSupport({ probes, kernel: hostFacts.kernel, layers: join(config.root, 'layers'), state: config.state, idmapsLayers: (handler) => snapshotterBy(podGround(defaults, handler).snapshotter, snapshotters).driver === 'overlay' });
  const runtimeStates = join(config.state, 'oci');
  const oci = { conmonPath: config.runtime.conmon, exitDir, handlers, cgroups, hostFacts, defaults: () => defaults, bootId, roots };

  const images = createImageEngine({
    root: config.root,
    store,
    log,
    usedBy: (imageId) => containerRecords.all().filter((record) => usesImage(record, imageId)).map((record) => record.id),
    containerFilesystems: async () => [writableLayersUsage({ roots, usage }, containerRecords.all())],
    containerUsages: () => containerUsages({ records: containerRecords, usage, roots, podName: (id) => podNameOf(podRecords.get(id)) }),
    registryFiles: registryFiles(config),
    trustFiles: trustFiles(config),
    layersAtOnce: config.image.maxParallelLayers,
    pinned: () => current.image.pinned,
    ...(config.image.platform === 'auto' ? {} : { platform: parsePlatform(config.image.platform) }),
  });

  const criu = new Criu();
  const unpackers = new UnpackPool({ maxWorkers: 2 });
  const containerDeps: ContainerDeps = {
    ...oci, log, ids, images, snapshotters, exitWatch, usage, projects, paths: pathThreads, cdi, hooks, apparmor, selinux,
    blockIoFile: config.cgroup.blockioConfigFile,
    volumeSettings: () => current.container,
    recursiveReadOnly: async (handler) => {
      const probed = await probes.ask(handlers.of(handler));
      return !('error' in probed) && probed.recursiveReadOnly;
    },
    criu, unpackers, checkpoints: new Checkpoints(),
    probe: (runtime) => probes.ask(runtime),
    restoresImages: () => current.checkpoint.restoreImages,
    records: containerRecords,
    pods: podPlaces({ records: podRecords, stateDir: config.state, isReady: ready }),
    effects: new Effects({ ledger: store.ledger, debts, order: containerUndoOrder, undos: containerUndos({ handlers, runtimeStates, cgroups, exitWatch }) }),
    creating: new SingleFlight(), making: new Creations(), starting: new SingleFlight(), removing: new SingleFlight(), locks: new KeyedLock(),
    exits: new ExitSignals(), killedByUs: new Set(),
  };
  const podDeps: PodDeps = {
    ...oci, log, ids, cni, apparmor, snapshotters,
    records: podRecords,
    userNamespaces,
    selinux: selinux && { contexts: selinux, levels: new McsLevels({ categories: config.security.selinuxCategories, inUse: () => podRecords.all().flatMap((record) => record.selinuxLevel ?? []) }) },
    pausePath: config.runtime.pause,
    containers: new PodContainers(containerDeps),
    debts,
    effects: new Effects({ ledger: store.ledger, debts, order: podUndoOrder, undos: podUndos({ cni, cgroups, removeFromRuntime: (id, effect) => removeFromRuntime({ handlers, runtimeStates, cgroups, exitWatch }, id, effect) }) }),
    isReady: ready,
    running: new SingleFlight(), making: new Set(), restoring: new Set(), stopping: new SingleFlight(), removing: new SingleFlight(),
  };

  await images.recover();
  await recoverContainers(containerDeps);
  const reconciler = new Reconciler({ sources: [() => containerArrears(containerDeps), () => podArrears(podDeps), () => images.arrears(debts)], debts });
  // The end of a container is in the lists, and nobody waits for what the runtime still holds of it.
  const isWaitedFor = (owner: string): boolean => containerRecords.get(owner) === undefined;
  await Promise.race([reconciler.run(isWaitedFor), sleep(startPatienceMs, undefined, { ref: false })]);
  void collectNetworkGarbage(podDeps);
  void clearProgramCopies(runtimeStates, log);
  reconciler.start();
  const leaks = new LeakSearch({
    places: leakPlaces({
      roots, exitDir, runtimeStates, handlers, cgroups, cni, ids,
      cniDirs: { conf: cniConfDirs, cache: join(config.root, 'cni') },
      owners: () => new Set([...podRecords.all().map(({ id }) => id), ...containerRecords.all().flatMap(({ id, podId }) => [id, podId]), ...store.ledger.owners()]),
      layerNames: () => images.layerNames(),
    }),
    debts, log,
  });
  void logHandlers(probes, handlers, log);

  const streams = createStreamEngine(containerDeps, podDeps);
  return {
    engine: {
      name: 'gantry',
      checkpoints: createCheckpointEngine({ containers: containerDeps, pods: podDeps }),
      pods: createPodEngine(podDeps),
      containers: createContainerEngine(containerDeps),
      images,
      node: createNodeEngine({ leaks, criu, handlers, probes, isBuiltIn: (handler) => isDeepStrictEqual(current.runtime.handlers[handler], builtIn[handler]), cniConfDir: (handler) => podGround(defaults, handler).cniConfDir, snapshotters, projects: probedProjects, userNamespaces, cni, cdi, hooks, hostFacts, cgroupDriver: cgroups.driver, conmonPath: config.runtime.conmon, config: () => withoutSecrets(current) }),
      streams,
    },
    async close() {
      asking.abort();
      reconciler.close();
      await streams.close();
      exitWatch.close();
      usage.close();
      cni.close();
      await Promise.all([pathThreads.close(), fencedFiles.close()]);
      forgetAbandoned();
      await images.close();
      await unpackers.close();
      store.close();
    },
    async reload(next) {
      const nextDefaults = await buildDefaults(next);
      const nextAsking = new AbortController();
      const built = await buildHandlers({ settings: next.runtime, retired: {}, stateDir: config.state, cgroups, log, signal: nextAsking.signal });
      asking.abort();
      asking = nextAsking;
      handlers.replace(built.handlers);
      settleLater(built.late);
      rememberHandlers(handlerRecords, next.runtime.handlers);
      [current, defaults] = [next, withRetired(nextDefaults, defaults.handlers)];
      logCutLimits();
      void logHandlers(probes, handlers, log);
      await cni.reload();
    },
  };
}

/** Those of pods, which containers have too, and of what was cut short and is to be undone. */
function handlersInUse(pods: readonly PodRecord[], ledger: Ledger): Set<string> {
  const unfinished = ledger.rows().flatMap(({ data }) => (data as { handler?: string } | null)?.handler ?? []);
  return new Set([...pods.map(({ handler }) => handler), ...unfinished]);
}

/** systemd makes the cgroups where it runs the node on cgroup v2: there it must be the only one who writes them. */
function cgroupDriver(setting: Config['cgroup']['driver'], layout: CgroupLayout): CgroupDriver {
  if (setting !== 'auto') return setting;
  return layout.mode === 'v2' && readFileSync('/proc/1/comm', 'utf8').trim() === 'systemd' ? 'systemd' : 'cgroupfs';
}

function apparmorOf({ disableApparmor, apparmorDefaultProfile: name }: Config['security']): AppArmor | undefined {
  if (disableApparmor || !hasAppArmor()) return undefined;
  return new AppArmor({ defaultProfile: name === 'built-in' ? undefined : name });
}

function selinuxOf({ disableSelinux }: Config['security'], log: Logger): SelinuxContexts | undefined {
  if (disableSelinux || !hasSelinux()) return undefined;
  const contexts = selinuxContexts();
  if (contexts === undefined) log.warn('containers run without SELinux labels: its policy on this node has none for containers (install container-selinux)');
  return contexts;
}

function podNameOf(record: PodRecord | undefined): string {
  const { namespace, name } = record?.config.metadata ?? { namespace: '', name: '' };
  return `${namespace}/${name}`;
}
